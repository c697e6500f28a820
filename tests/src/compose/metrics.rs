//! Reads Prometheus' text format, as the services and Envoy write it.

use super::resolve;
use crate::harness::Client;

/// One line: a name, its labels as written, a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// `catalogdetail_requests_total`.
    pub name: String,
    /// What is between the braces; empty without them.
    pub labels: String,
    /// Its value.
    pub value: f64,
}

impl Sample {
    /// Whether this label has this value. Values with quotes are none of ours.
    pub fn has(&self, label: &str, value: &str) -> bool {
        let wanted = format!("{label}=\"{value}\"");
        self.labels.split(',').any(|one| one.trim() == wanted)
    }
}

/// The samples at `http://ADDRESS PATH`. Errors: no answer, or not 200.
pub async fn fetch(address: &str, path: &str) -> Result<Vec<Sample>, String> {
    let response = Client::new(resolve(address).await?).get(address, path).await?;
    if response.status != 200 {
        return Err(format!("http://{address}{path}: status {}: {}", response.status, response.text()));
    }
    Ok(parse(&response.text()))
}

/// The sum of the samples of this name that have these labels; rounded, as counts are.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts, far below 2^53")]
pub fn sum(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> usize {
    let wanted = |sample: &&Sample| sample.name == name && labels.iter().all(|(label, value)| sample.has(label, value));
    samples.iter().filter(wanted).map(|sample| sample.value).sum::<f64>().round() as usize
}

fn parse(text: &str) -> Vec<Sample> {
    let line = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.strip_suffix('}').unwrap_or(labels);
        Some(Sample { name: name.into(), labels: labels.into(), value: value.parse().ok()? })
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_labels_or_none() {
        let samples = parse("# TYPE a counter\na{x=\"1\",y=\"b c\"} 12\nb 0.5\n\n");
        assert_eq!(samples.len(), 2);
        assert!(samples[0].has("y", "b c") && !samples[0].has("x", "2"));
        assert!(samples[1].name == "b" && (samples[1].value - 0.5).abs() < f64::EPSILON);
    }
}
