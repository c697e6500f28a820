//! Where endpoints and the proxy are: region, zone, subzone (istio.md 2.4).

use std::collections::BTreeMap;

/// A place; what is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locality {
    /// The region.
    pub region: String,
    /// The zone in it.
    pub zone: String,
    /// The part of that.
    pub sub_zone: String,
}

impl Locality {
    /// Reads `region/zone/subzone`, or the beginning of it.
    pub fn parse(written: &str) -> Self {
        let mut parts = written.splitn(3, '/').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Self { region: next(), zone: next(), sub_zone: next() }
    }

    /// Whether it is in a place that a rule names: `*` and what is left out stand for any.
    pub fn is_in(&self, rule: &str) -> bool {
        let rule = Self::parse(rule);
        let fits = |rule: &str, own: &str, may_miss: bool| rule == "*" || rule == own || (may_miss && rule.is_empty());
        fits(&rule.region, &self.region, false)
            && fits(&rule.zone, &self.zone, true)
            && fits(&rule.sub_zone, &self.sub_zone, true)
    }

    /// How far something is: 0 here, 1 in the same zone, 2 in the same region, 3 elsewhere.
    pub fn distance(&self, other: &Self) -> u32 {
        match (self.region == other.region, self.zone == other.zone, self.sub_zone == other.sub_zone) {
            (false, ..) => 3,
            (_, false, _) => 2,
            (.., false) => 1,
            _ => 0,
        }
    }

    /// Adds the labels that Istio gives a workload here; they replace what it has.
    pub fn label(&self, labels: &mut BTreeMap<String, String>) {
        let all = [
            ("topology.kubernetes.io/region", &self.region),
            ("topology.kubernetes.io/zone", &self.zone),
            ("topology.istio.io/subzone", &self.sub_zone),
        ];
        labels.extend(
            all.into_iter().filter(|(_, name)| !name.is_empty()).map(|(key, name)| (key.to_owned(), name.clone())),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::Locality;

    #[test]
    fn a_place_is_in_what_it_begins_with_and_as_far_as_the_first_part_that_differs() {
        let here = Locality::parse("eu/a/1");
        for (rule, expected) in
            [("eu", true), ("eu/*", true), ("*", true), ("eu/a/1", true), ("eu/b", false), ("us/*", false), ("", false)]
        {
            assert_eq!(here.is_in(rule), expected, "{rule}");
        }
        for (there, distance) in [("eu/a/1", 0), ("eu/a/2", 1), ("eu/a", 1), ("eu/b/1", 2), ("us/a/1", 3), ("", 3)] {
            assert_eq!(here.distance(&Locality::parse(there)), distance, "{there}");
        }
        assert_eq!(Locality::default().distance(&Locality::default()), 0);
    }
}
