//! What each user saw, in order.

use crate::demo::load::{Answer, Seen};
use crate::demo::users::User;

/// What each user saw; lost requests are left out.
pub struct Histories<'a> {
    users: &'a [User],
    seen: Vec<Vec<Seen>>,
}

impl<'a> Histories<'a> {
    /// Of these steps, one after the other.
    pub fn of(users: &'a [User], steps: &[&[&Answer]]) -> Self {
        let mut seen = vec![Vec::new(); users.len()];
        for answer in steps.iter().flat_map(|step| step.iter()) {
            if let Ok(one) = &answer.seen {
                seen[answer.user].push(one.clone());
            }
        }
        Self { users, seen }
    }

    /// Of every user.
    pub fn all(&self) -> impl Iterator<Item = &[Seen]> {
        self.seen.iter().map(Vec::as_slice)
    }

    /// Of users with a cookie of an earlier visit.
    pub fn returning(&self) -> impl Iterator<Item = &[Seen]> {
        self.all().zip(self.users).filter(|(_, user)| !user.newcomer).map(|(seen, _)| seen)
    }

    /// Of users that came without one.
    pub fn newcomers(&self) -> impl Iterator<Item = &[Seen]> {
        self.all().zip(self.users).filter(|(_, user)| user.newcomer).map(|(seen, _)| seen)
    }
}
