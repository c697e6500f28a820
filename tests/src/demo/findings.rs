//! What the answers say, counted.

mod history;
mod share;

use std::time::Duration;

use super::load::{Answer, Seen, Side, Version};
use super::users::User;
use history::Histories;

pub use share::Share;

/// The answers of each step, of both sides, in the order of sending.
#[derive(Debug)]
pub struct Answers {
    /// Plain visits, every user several times.
    pub visits: Vec<Answer>,
    /// `/v1/…` and `/v2/…`.
    pub pinned: Vec<Answer>,
    /// Visits with a tag of their own, of users that our side does not tag `internal`.
    pub forged: Vec<Answer>,
    /// Visits while the policy changed.
    pub changing: Vec<Answer>,
    /// One visit of every user after that.
    pub after: Vec<Answer>,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Count {
    /// How many were.
    pub hits: usize,
    /// Of how many.
    pub of: usize,
}

/// What one side did.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Tagged `internal`: of returning users where a user keeps its tag, of requests where each request draws one.
    pub tagged: Share,
    /// Of those that were not: to v2.
    pub canary: Share,
    /// The same after the change.
    pub canary_after: Share,
    /// Returning users who saw both versions under one policy.
    pub saw_both: Count,
    /// Users that came without a cookie who did.
    pub newcomers_saw_both: Count,
    /// Users, of all, whose tag changed under one policy.
    pub tag_changed: Count,
    /// Newcomers tagged `internal` at their first visit.
    pub newcomers_tagged: Share,
    /// Forging requests of which the upstream received the forged tag.
    pub forged: Count,
    /// Forging requests that v2 answered.
    pub forged_to_v2: Count,
    /// Requests that name a version in their path and got it, with the path rewritten.
    pub pinned: Count,
    /// Returning users that the change moved from v1 to v2; of whom the policy asks for 40 % of the canary's 70 %.
    pub moved: Share,
    /// Returning users that it moved from v2 to v1.
    pub moved_back: Count,
    /// Users, of all, who went from v2 to v1 at any time, the change included.
    pub ever_back: Count,
    /// Requests without an answer, or with an error, while the policy changed.
    pub lost: Count,
    /// The same in all other steps.
    pub lost_elsewhere: Count,
    /// What the first lost request met.
    pub first_loss: Option<String>,
    /// Times of plain visits: the median, and what 99 % do not exceed.
    pub times: [Duration; 2],
}

impl Findings {
    /// Counts what one side did.
    pub fn of(side: Side, users: &[User], answers: &Answers) -> Self {
        let [visits, pinned, forged, changing, after] =
            [&answers.visits, &answers.pinned, &answers.forged, &answers.changing, &answers.after]
                .map(|step| step.iter().filter(|answer| answer.side == side).collect::<Vec<_>>());
        let before = Histories::of(users, &[&visits]);
        let whole = Histories::of(users, &[&visits, &changing, &after]);
        let ends = Histories::of(users, &[&visits, &after]);

        // Where a user keeps its tag, its further requests are no further draws.
        let drawn = |step: &[&Answer]| -> Vec<Seen> {
            match side {
                Side::Ours => {
                    Histories::of(users, &[step]).returning().filter_map(|all| all.first().cloned()).collect()
                }
                Side::Usual => step.iter().filter_map(|answer| answer.seen.clone().ok()).collect(),
            }
        };
        let (now, later) = (drawn(&visits), drawn(&after));
        let first_of_newcomers: Vec<Seen> = before.newcomers().filter_map(|all| all.first().cloned()).collect();
        let went = |from, to| {
            Count::of(ends.returning(), |all| {
                let versions = all.len().checked_sub(2).map(|last| (all[last].version, all[last + 1].version));
                versions == Some((from, to))
            })
        };
        let both = |all: &&[Seen]| all.iter().any(|seen| seen.version != all[0].version);
        let moved = went(Version::V1, Version::V2);
        let lost = |answer: &&Answer| answer.seen.is_err();
        let elsewhere: Vec<&Answer> = [&visits[..], &pinned, &forged, &after].concat();
        let first_loss = changing.iter().chain(&elsewhere).find_map(|answer| answer.seen.as_ref().err().cloned());
        Self {
            tagged: tagged(&now),
            canary: to_v2(&now, 0.1),
            canary_after: to_v2(&later, 0.5),
            saw_both: Count::of(before.returning(), both),
            newcomers_saw_both: Count::of(before.newcomers(), both),
            tag_changed: Count::of(whole.all(), |all| all.iter().any(|seen| seen.tags != all[0].tags)),
            newcomers_tagged: tagged(&first_of_newcomers),
            forged: Count::seen(&forged, |_, seen| got_forged(side, seen)),
            forged_to_v2: Count::seen(&forged, |_, seen| seen.version == Version::V2),
            pinned: Count::seen(&pinned, as_pinned),
            moved: Share::new(moved.hits, moved.of, 0.7 * 0.4),
            moved_back: went(Version::V2, Version::V1),
            ever_back: Count::of(whole.all(), |all| {
                all.windows(2).any(|pair| (pair[0].version, pair[1].version) == (Version::V2, Version::V1))
            }),
            lost: Count::of(changing.into_iter(), lost),
            lost_elsewhere: Count::of(elsewhere.into_iter(), lost),
            first_loss,
            times: times(&visits),
        }
    }
}

impl Count {
    /// How many of them are so.
    fn of<T>(all: impl Iterator<Item = T>, is: impl Fn(&T) -> bool) -> Self {
        all.fold(Self { hits: 0, of: 0 }, |count, one| Self {
            hits: count.hits + usize::from(is(&one)),
            of: count.of + 1,
        })
    }

    /// How many answers are so, by target and what the upstream received; a lost request is not.
    fn seen(answers: &[&Answer], is: impl Fn(&str, &Seen) -> bool) -> Self {
        Self::of(answers.iter(), |answer| answer.seen.as_ref().is_ok_and(|seen| is(answer.target, seen)))
    }
}

fn tagged(drawn: &[Seen]) -> Share {
    Share::new(drawn.iter().filter(|seen| seen.is_tagged("internal")).count(), drawn.len(), 0.3)
}

fn to_v2(drawn: &[Seen], expected: f64) -> Share {
    let rest = || drawn.iter().filter(|seen| seen.is_tagged("external"));
    Share::new(rest().filter(|seen| seen.version == Version::V2).count(), rest().count(), expected)
}

/// Forging users are external on our side, so one value, `external`, has to arrive. On the other side a tag of the
/// listener's own arrives in any case: what makes two of it is the client's.
fn got_forged(side: Side, seen: &Seen) -> bool {
    match side {
        Side::Ours => !seen.is_tagged("external"),
        Side::Usual => seen.tags.len() > 1,
    }
}

/// `/v2/catalogDetail?x` has to arrive at v2 as `/catalogDetail?x`.
fn as_pinned(target: &str, seen: &Seen) -> bool {
    let version = if target.starts_with("/v1/") { Version::V1 } else { Version::V2 };
    seen.version == version && target.get(3..) == Some(&seen.path)
}

fn times(visits: &[&Answer]) -> [Duration; 2] {
    let mut times: Vec<Duration> =
        visits.iter().filter(|answer| answer.seen.is_ok()).map(|answer| answer.took).collect();
    times.sort_unstable();
    [50, 99].map(|percent| times.get(times.len() * percent / 100).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests;
