//! Users that come back, made of a seed.

use crate::rng::Rng;
use std::sync::{Mutex, PoisonError};

/// A user with a cookie jar that holds the one cookie `uid`.
#[derive(Debug)]
pub struct User {
    /// Whether it came without a cookie.
    pub newcomer: bool,
    cookie: Mutex<Option<String>>,
}

impl User {
    /// What it sends as `cookie: uid=…`; `None` until one was issued to a newcomer.
    pub fn cookie(&self) -> Option<String> {
        self.cookie.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the `uid` of a `set-cookie` header, as a browser would. Another cookie is none of ours.
    pub fn take(&self, set_cookie: &str) {
        let pair = set_cookie.split(';').next().unwrap_or_default();
        if let Some(value) = pair.trim().strip_prefix("uid=") {
            *self.cookie.lock().unwrap_or_else(PoisonError::into_inner) = Some(value.to_owned());
        }
    }
}

/// So many users with a cookie of an earlier visit, then so many without one. The cookies hang on the seed alone.
pub fn users(seed: u64, returning: usize, newcomers: usize) -> Vec<User> {
    let mut rng = Rng::new(seed);
    let mut all: Vec<User> = Vec::with_capacity(returning + newcomers);
    for _ in 0..returning {
        let cookie = format!("{:016x}", rng.number());
        all.push(User { newcomer: false, cookie: Mutex::new(Some(cookie)) });
    }
    all.extend((0..newcomers).map(|_| User { newcomer: true, cookie: Mutex::new(None) }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_hang_on_the_seed_and_newcomers_have_none() {
        let cookies = |seed| -> Vec<_> { users(seed, 2, 1).iter().map(User::cookie).collect() };
        assert_eq!(cookies(0), [Some("e220a8397b1dcdaf".into()), Some("6e789e6aa1b965f4".into()), None]);
        assert_ne!(cookies(0)[0], cookies(1)[0]);
    }

    #[test]
    fn a_user_keeps_the_cookie_that_it_was_issued() {
        let user = &users(0, 0, 1)[0];
        user.take("session=x; Path=/");
        assert_eq!(user.cookie(), None);
        user.take("uid=abc; Max-Age=10; Path=/");
        assert_eq!(user.cookie().as_deref(), Some("abc"));
    }
}
