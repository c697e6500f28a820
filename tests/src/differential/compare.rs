//! What differs between the two sides.

use super::probe::Probe;
use super::route::DELAY;
use super::seen::Seen;
use super::upstream::Arrival;
use std::fmt;
use std::time::Duration;

/// One request to both sides.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The request.
    pub probe: Probe,
    /// What Istio does.
    pub istio: Seen,
    /// What we do.
    pub ours: Seen,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field: `status`, `response header vary`, `upstream header x-a` …
    pub field: String,
    /// In Istio.
    pub istio: String,
    /// With us.
    pub ours: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: Istio `{}`, we `{}`", self.field, self.istio, self.ours)
    }
}

/// Every field that differs.
pub fn differences(pair: &Pair) -> Vec<Difference> {
    let (istio, ours) = (&pair.istio, &pair.ours);
    let mut found = Vec::new();
    let mut compare = |field: &str, istio: String, ours: String| {
        if istio != ours {
            found.push(Difference { field: field.to_owned(), istio, ours });
        }
    };
    compare("status", istio.status.to_string(), ours.status.to_string());
    compare("body", istio.body.clone(), ours.body.clone());
    compare("flags", istio.flags.clone(), ours.flags.clone());
    if istio.status == 0 || ours.status == 0 {
        let error = |seen: &Seen| if seen.status == 0 { seen.told.clone() } else { String::new() };
        compare("error", error(istio), error(ours));
    }
    // The flags say that there is a delay. Envoy's timers are a little early: they count from when its loop woke up.
    for (name, seen) in [("Istio", istio), ("we", ours)] {
        if seen.flags.contains("DI") && seen.took < Duration::from_millis(DELAY) / 2 {
            compare("time", format!("{DELAY} ms"), format!("{name}: {:?}", seen.took));
        }
    }
    for (name, istio, ours) in by_name(&istio.headers, &ours.headers) {
        compare(&format!("response header {name}"), istio, ours);
    }
    compare("requests at upstreams", istio.arrivals.len().to_string(), ours.arrivals.len().to_string());
    for (istio, ours) in istio.arrivals.iter().zip(&ours.arrivals) {
        compare("upstream", istio.at.clone(), ours.at.clone());
        compare("upstream method", istio.method.clone(), ours.method.clone());
        compare("upstream path", istio.path.clone(), ours.path.clone());
        compare("upstream body", istio.body.clone(), ours.body.clone());
        for (name, istio, ours) in by_name(&istio.headers, &ours.headers) {
            compare(&format!("upstream header {name}"), istio, ours);
        }
    }
    let more = |mine: &[Arrival], others: &[Arrival]| {
        let more = mine.iter().skip(others.len()).map(|one| format!("{} {}", one.at, one.path));
        more.collect::<Vec<_>>().join(" | ")
    };
    compare("more at upstreams", more(&istio.arrivals, &ours.arrivals), more(&ours.arrivals, &istio.arrivals));
    found
}

/// Each name that either has, with its values on both sides.
fn by_name<'a>(
    istio: &'a [(String, String)],
    ours: &'a [(String, String)],
) -> impl Iterator<Item = (&'a str, String, String)> {
    let mut names: Vec<&str> = istio.iter().chain(ours).map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let values = |lines: &[(String, String)], name: &str| {
        let values: Vec<&str> =
            lines.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        if values.is_empty() { "absent".to_owned() } else { format!("[{}]", values.join("] [")) }
    };
    names.into_iter().map(move |name| (name, values(istio, name), values(ours, name)))
}

#[cfg(test)]
mod tests {
    use super::super::world::Entry;
    use super::*;

    fn pair(istio: Seen, ours: Seen) -> Pair {
        let (method, host, target) = ("GET".to_owned(), "a.test".to_owned(), "/".to_owned());
        let probe = Probe { entry: Entry::Mesh, method, host, target, headers: Vec::new(), body: String::new() };
        Pair { probe, istio, ours }
    }

    fn seen(path: &str, headers: &[(&str, &str)]) -> Seen {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (at, method, body) = ("127.10.1.1/first".to_owned(), "GET".to_owned(), String::new());
        let mut seen = Seen { status: 200, ..Seen::default() };
        seen.arrived(vec![Arrival { at, method, path: path.to_owned(), headers, body }]);
        seen
    }

    #[test]
    fn every_field_of_what_arrived_is_compared_but_noise() {
        let told = |istio: Seen, ours: Seen| -> Vec<String> {
            differences(&pair(istio, ours)).iter().map(ToString::to_string).collect()
        };
        let same = seen("/a", &[("x-a", "1"), ("x-request-id", "r")]);
        assert_eq!(
            told(same.clone(), seen("/a", &[("x-a", "1"), ("x-switchyard-hash", "h")])),
            <[String; 0]>::default()
        );
        assert_eq!(told(same.clone(), seen("/b", &[("x-a", "1")])), ["upstream path: Istio `/a`, we `/b`"]);
        assert_eq!(
            told(same.clone(), seen("/a", &[("x-a", "1"), ("x-a", "2")])),
            ["upstream header x-a: Istio `[1]`, we `[1] [2]`"]
        );
        let nothing = Seen { status: 503, ..Seen::default() };
        let fields = differences(&pair(same, nothing)).into_iter().map(|one| one.field).collect::<Vec<_>>();
        assert_eq!(fields, ["status", "requests at upstreams", "more at upstreams"]);
    }

    #[test]
    fn a_delay_that_is_flagged_must_have_taken_its_time() {
        let delayed = |milliseconds| Seen {
            status: 200,
            flags: "DI".into(),
            took: Duration::from_millis(milliseconds),
            ..Seen::default()
        };
        assert_eq!(differences(&pair(delayed(DELAY), delayed(DELAY + 9))), []);
        assert_eq!(differences(&pair(delayed(DELAY), delayed(1))).len(), 1);
    }
}
