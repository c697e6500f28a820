use super::*;
use crate::demo::users::users;

fn answer(user: usize, side: Side, version: Version, tags: &[&str]) -> Answer {
    let seen = Seen { version, path: "/catalogDetail".into(), tags: tags.iter().map(ToString::to_string).collect() };
    Answer { user, target: "/catalogDetail", side, seen: Ok(seen), took: Duration::from_millis(1) }
}

fn nothing() -> Answers {
    Answers { visits: vec![], pinned: vec![], forged: vec![], changing: vec![], after: vec![] }
}

use Side::{Ours, Usual};
use Version::{V1, V2};

#[test]
fn our_shares_are_of_users_and_the_other_sides_of_requests() {
    let users = users(0, 2, 0);
    let visits = [Ours, Usual].map(|side| {
        [
            answer(0, side, V2, &["internal"]),
            answer(1, side, V1, &["external"]),
            answer(0, side, V2, &["internal"]),
            answer(0, side, V2, &["internal"]),
        ]
    });
    let answers = Answers { visits: visits.concat(), ..nothing() };
    let [ours, usual] = [Ours, Usual].map(|side| Findings::of(side, &users, &answers));
    assert_eq!((ours.tagged.hits, ours.tagged.of), (1, 2));
    assert_eq!((usual.tagged.hits, usual.tagged.of), (3, 4));
    assert_eq!((ours.canary.hits, ours.canary.of), (0, 1));
}

#[test]
fn a_user_who_saw_both_is_counted_once_and_apart_from_newcomers() {
    let users = users(0, 2, 1);
    let visits = vec![
        answer(0, Ours, V1, &["external"]),
        answer(0, Ours, V2, &["external"]),
        answer(0, Ours, V1, &["internal"]),
        answer(1, Ours, V1, &["external"]),
        answer(2, Ours, V1, &["external"]),
        answer(2, Ours, V2, &["external"]),
    ];
    let found = Findings::of(Ours, &users, &Answers { visits, ..nothing() });
    assert_eq!(found.saw_both, Count { hits: 1, of: 2 });
    assert_eq!(found.newcomers_saw_both, Count { hits: 1, of: 1 });
    assert_eq!(found.tag_changed, Count { hits: 1, of: 3 });
    assert_eq!(found.ever_back, Count { hits: 1, of: 3 });
}

#[test]
fn a_change_moves_users_forth_and_back() {
    let users = users(0, 3, 0);
    let at = |user, version| answer(user, Ours, version, &["external"]);
    let answers = Answers {
        visits: vec![at(0, V1), at(1, V2), at(2, V2)],
        after: vec![at(0, V2), at(1, V1), at(2, V2)],
        ..nothing()
    };
    let found = Findings::of(Ours, &users, &answers);
    assert_eq!((found.moved.hits, found.moved.of), (1, 3));
    assert_eq!(found.moved_back, Count { hits: 1, of: 3 });
}

#[test]
fn a_forged_tag_is_any_but_the_users_own() {
    let users = users(0, 1, 0);
    for (tags, got) in [(&["external"][..], 0), (&["internal"], 1), (&["internal", "external"], 1), (&[], 1)] {
        let answers = Answers { forged: vec![answer(0, Ours, V1, tags)], ..nothing() };
        assert_eq!(Findings::of(Ours, &users, &answers).forged, Count { hits: got, of: 1 }, "{tags:?}");
    }
    let answers = Answers {
        forged: vec![answer(0, Usual, V1, &["internal"]), answer(0, Usual, V1, &["internal", "external"])],
        ..nothing()
    };
    let found = Findings::of(Usual, &users, &answers);
    assert_eq!((found.forged, found.forged_to_v2), (Count { hits: 1, of: 2 }, Count { hits: 0, of: 2 }));
}

#[test]
fn a_pinned_path_has_to_arrive_rewritten_at_its_version() {
    let users = users(0, 1, 0);
    let pinned =
        [("/v1/catalogDetail?a=1", V1, "/catalogDetail?a=1", 1), ("/v2/catalogDetail", V1, "/catalogDetail", 0)];
    for (target, version, path, right) in pinned {
        let mut one = answer(0, Ours, version, &["external"]);
        one.target = target;
        one.seen.as_mut().unwrap().path = path.into();
        let found = Findings::of(Ours, &users, &Answers { pinned: vec![one], ..nothing() });
        assert_eq!(found.pinned, Count { hits: right, of: 1 }, "{target}");
    }
}

#[test]
fn lost_requests_are_counted_by_step() {
    let users = users(0, 1, 0);
    let mut gone = answer(0, Ours, V1, &[]);
    gone.seen = Err("closed".into());
    let answers = Answers { changing: vec![gone.clone(), answer(0, Ours, V1, &[])], after: vec![gone], ..nothing() };
    let found = Findings::of(Ours, &users, &answers);
    assert_eq!((found.lost, found.lost_elsewhere), (Count { hits: 1, of: 2 }, Count { hits: 1, of: 1 }));
    assert_eq!(found.first_loss.as_deref(), Some("closed"));
}
