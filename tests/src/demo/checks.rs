//! What has to hold of our side, or the demo fails.

use super::findings::{Count, Findings, Share};
use super::text::thousands;

/// What does not hold, each in one line. Our shares hang on the seed alone, so their 99 % intervals never fail by
/// chance; only the newcomers' cookies are random, so theirs is wide.
pub fn failed(ours: &Findings) -> Vec<String> {
    let shares = [
        ("tagged `internal`", ours.tagged),
        ("the rest, to v2", ours.canary),
        ("the rest, to v2 after the change", ours.canary_after),
        ("users moved by the change", ours.moved),
    ];
    let none = [
        ("returning users saw both versions", ours.saw_both),
        ("newcomers saw both versions", ours.newcomers_saw_both),
        ("users did not keep their tag", ours.tag_changed),
        ("forged tags got through", ours.forged),
        ("users moved from v2 to v1", ours.moved_back),
        ("users saw v1 after v2", ours.ever_back),
        ("requests were lost while the policy changed", ours.lost),
        ("requests were lost", ours.lost_elsewhere),
    ];
    let mut failed = Vec::new();
    for (what, share) in shares {
        if !share.holds() {
            failed.push(format!("{what}: {} of {} users lies outside the 99 % interval", share.hits, share.of));
        }
    }
    if !ours.newcomers_tagged.holds_widely() {
        let Share { hits, of, .. } = ours.newcomers_tagged;
        failed.push(format!("newcomers tagged `internal`: {hits} of {of} is no chance"));
    }
    for (what, Count { hits, of }) in none {
        if hits > 0 || of == 0 {
            failed.push(format!("{} of {} {what}", thousands(hits), thousands(of)));
        }
    }
    if ours.pinned.hits < ours.pinned.of || ours.pinned.of == 0 {
        let Count { hits, of } = ours.pinned;
        failed.push(format!("only {hits} of {of} requests for `/v1` and `/v2` went there with their path rewritten"));
    }
    if let Some(loss) = &ours.first_loss {
        failed.push(format!("the first lost request: {loss}"));
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn good() -> Findings {
        let none = Count { hits: 0, of: 10 };
        Findings {
            tagged: Share::new(300, 1000, 0.3),
            canary: Share::new(70, 700, 0.1),
            canary_after: Share::new(350, 700, 0.5),
            saw_both: none,
            newcomers_saw_both: none,
            tag_changed: none,
            newcomers_tagged: Share::new(75, 250, 0.3),
            forged: none,
            forged_to_v2: none,
            pinned: Count { hits: 10, of: 10 },
            moved: Share::new(280, 1000, 0.28),
            moved_back: none,
            ever_back: none,
            lost: none,
            lost_elsewhere: none,
            first_loss: None,
            times: [Duration::ZERO; 2],
        }
    }

    #[test]
    fn what_holds_is_not_told() {
        assert_eq!(failed(&good()), [""; 0]);
    }

    #[test]
    fn each_thing_that_does_not_hold_is_told() {
        let one = Count { hits: 1, of: 1000 };
        for (bad, message) in [
            (
                Findings { tagged: Share::new(400, 1000, 0.3), ..good() },
                "tagged `internal`: 400 of 1000 users lies outside the 99 % interval",
            ),
            (
                Findings { newcomers_tagged: Share::new(0, 250, 0.3), ..good() },
                "newcomers tagged `internal`: 0 of 250 is no chance",
            ),
            (Findings { forged: one, ..good() }, "1 of 1,000 forged tags got through"),
            (
                Findings { lost: Count { hits: 0, of: 0 }, ..good() },
                "0 of 0 requests were lost while the policy changed",
            ),
            (
                Findings { pinned: Count { hits: 9, of: 10 }, ..good() },
                "only 9 of 10 requests for `/v1` and `/v2` went there with their path rewritten",
            ),
        ] {
            assert_eq!(failed(&bad), [message]);
        }
    }
}
