use super::DefaultExport;

#[test]
fn a_default_without_a_dot_or_a_star_is_nobodys_but_for_delegates() {
    let of = |names: &[&str]| DefaultExport::of(names.iter().map(|name| (*name).to_owned()).collect());
    for (default, expected, of_delegate) in [
        (&[][..], &[][..], &[][..]),
        (&["*"], &["*"], &["*"]),
        (&["."], &["."], &["."]),
        (&["*", "."], &["."], &["*", "."]),
        (&["other"], &["~"], &["other"]),
        (&["~"], &["~"], &["~"]),
    ] {
        let default = of(default);
        assert_eq!(default.or_default(&[]), expected, "{default:?}");
        assert_eq!(default.or_default_of_delegate(&[]), of_delegate, "{default:?}");
        assert_eq!(default.or_default(&["a".to_owned()]), ["a"]);
        assert_eq!(default.or_default_of_delegate(&["a".to_owned()]), ["a"]);
    }
}
