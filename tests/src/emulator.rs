//! A machine that QEMU emulates, instruction by instruction: programs of this machine on a processor that it may not have.

use crate::chain::tools;
use crate::harness::{keeper, tools::script};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// What it finds before the script of [`Machine::run`]: the tools of busybox, and its own address.
const BEFORE: &str = r"#!/busybox sh
/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp
ip link set lo up
";

/// The machine before it is switched on: its files, which are all in memory then.
#[derive(Debug)]
pub struct Machine {
    folder: TempDir,
    linux: PathBuf,
}

impl Machine {
    /// One with busybox and nothing else. Errors: Debian's packages cannot be had.
    pub fn new() -> Result<Self, String> {
        let folder = TempDir::with_prefix("switchyard-machine-").map_err(|error| format!("no folder: {error}"))?;
        let machine = Self { folder, linux: script("linux.sh", &[])? };
        for part in ["bin", "dev", "proc", "tmp"] {
            fs::create_dir_all(machine.root().join(part)).map_err(|error| error.to_string())?;
        }
        machine.file("/busybox", &machine.linux.join("busybox"))?;
        Ok(machine)
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Writes a file. Errors: no room.
    pub fn write(&self, path: &str, text: &str) -> Result<(), String> {
        let path = self.root().join(path.trim_start_matches('/'));
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(|error| error.to_string())?;
        fs::write(&path, text).map_err(|error| format!("`{}`: {error}", path.display()))
    }

    /// Copies a file of this machine. Errors: it is not there.
    pub fn file(&self, path: &str, from: &Path) -> Result<(), String> {
        self.write(path, "")?;
        let to = self.root().join(path.trim_start_matches('/'));
        fs::copy(from, to).map(|_| ()).map_err(|error| format!("`{}`: {error}", from.display()))
    }

    /// Copies a program of this machine with the libraries that it is linked with. Errors: one of them is not there.
    pub fn program(&self, path: &str, from: &Path) -> Result<(), String> {
        self.file(path, from)?;
        let linked =
            Command::new("ldd").arg(from).output().map_err(|error| format!("`ldd` does not start: {error}"))?;
        let linked = String::from_utf8_lossy(&linked.stdout).into_owned();
        let mut libraries = linked.split_whitespace().filter(|word| word.starts_with('/'));
        libraries.try_for_each(|library| self.file(library, Path::new(library)))
    }

    /// Switches it on, has its shell run the script, and gives what its console showed. It has two processors of the newest
    /// kind that QEMU knows, and no network.
    ///
    /// # Errors
    /// QEMU is missing, or the machine runs on after this time; it is switched off then.
    pub async fn run(self, shell: &str, patience: Duration) -> Result<String, String> {
        self.write("/init", &format!("{BEFORE}{shell}\npoweroff -f\n"))?;
        let init = self.root().join("init");
        fs::set_permissions(init, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
        let (memory, console) = (self.folder.path().join("memory"), self.folder.path().join("console"));
        let mut pack = Command::new("sh");
        pack.args(["-c", "find . | \"$1\" cpio -o -H newc > \"$2\"", "sh"])
            .arg(self.linux.join("busybox"))
            .arg(&memory);
        let packed = pack.current_dir(self.root()).output().map_err(|error| format!("`sh` does not start: {error}"))?;
        if !packed.status.success() {
            return Err(format!("its files cannot be packed: {}", String::from_utf8_lossy(&packed.stderr)));
        }

        let mut command = keeper::command(&tools::installed("qemu-system-x86_64", "QEMU_BIN")?);
        command
            .args(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2G"])
            .args(["-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel"])
            .arg(self.linux.join("vmlinuz"))
            .arg("-initrd")
            .arg(&memory)
            .args(["-append", "console=ttyS0 quiet panic=-1 mitigations=off"])
            .stdout(File::create(&console).map_err(|error| error.to_string())?);
        let mut running = keeper::Kept::start(command).map_err(|error| format!("QEMU does not start: {error}"))?;
        let end = running.wait(patience).await;
        let shown = String::from_utf8_lossy(&fs::read(&console).unwrap_or_default()).into_owned();
        match end {
            Some(end) if end.success() => Ok(shown),
            Some(end) => Err(format!("QEMU ended with {end}\n{shown}")),
            None => Err(format!("the machine runs on after {patience:?}\n{shown}")),
        }
    }
}
