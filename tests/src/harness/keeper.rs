//! Child processes that do not outlive this process, however it ends.
//!
//! A drop kills them on return, `?` and panic. On SIGINT and SIGKILL nothing is dropped, so the kernel does it:
//! `PR_SET_PDEATHSIG`, set by `setpriv` (util-linux), since setting it between fork and exec takes `unsafe` here. It fires
//! when the *thread* that started the child ends, and a test has a thread of its own; so one thread, which never ends,
//! starts them all. Where there is no such `setpriv`, only the drop is left.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

type Order = (Command, mpsc::Sender<io::Result<Child>>);

static STARTER: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
    let (orders, inbox) = mpsc::channel::<Order>();
    thread::spawn(move || {
        for (mut command, reply) in inbox {
            // Whoever ordered is waiting; if not, the child is dropped with the reply that nobody took.
            let _ = reply.send(command.spawn());
        }
    });
    orders
});

static SETPRIV: LazyLock<bool> = LazyLock::new(|| {
    let check = Command::new("setpriv").args(["--pdeathsig", "KILL", "true"]).stderr(Stdio::null()).status();
    check.is_ok_and(|status| status.success())
});

/// A command for `program` that dies with this process. In a process group of its own: Ctrl-C on a terminal goes to
/// us, and we decide in which order things end.
pub fn command(program: &Path) -> Command {
    let mut command = if *SETPRIV {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.process_group(0).stdin(Stdio::null());
    command
}

/// A running child; killed on drop.
#[derive(Debug)]
pub struct Kept(Child);

impl Kept {
    /// Starts it on the thread that outlives all tests.
    pub fn start(command: Command) -> io::Result<Self> {
        let (reply, answer) = mpsc::channel();
        STARTER.send((command, reply)).map_err(io::Error::other)?;
        answer.recv().map_err(io::Error::other)?.map(Self)
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }

    /// Waits until it ends by itself, at most so long.
    pub async fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        while self.ended().is_none() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.ended()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
