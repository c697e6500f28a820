//! Folders to scenarios.

use super::spec::{Expected, Spec, Step};
use std::fs;
use std::path::{Path, PathBuf};
use switchyard_envoy::manifest::{Manifest, Manifests, read};
use switchyard_envoy::yaml;

/// A scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The name of its folder.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// What is written.
    pub spec: Spec,
}

impl Scenario {
    /// The manifests as arguments of `switchyard` in the scenario's folder.
    pub fn arguments(&self) -> Vec<String> {
        let app = Some(format!("../apps/{}", self.spec.app)).filter(|_| !self.spec.app.is_empty());
        app.into_iter().chain(["manifests".to_owned()]).collect()
    }

    /// The manifests. Errors: they are no YAML, or no manifests.
    pub fn manifests(&self) -> Result<Manifests, String> {
        let folders: Vec<_> =
            self.arguments().iter().map(|folder| self.folder.join(folder).display().to_string()).collect();
        let namespace = Some(self.spec.namespace.as_str()).filter(|namespace| !namespace.is_empty());
        read(&folders, namespace, &mut std::io::empty()).map_err(|error| error.to_string())
    }

    /// Whether we refuse the manifests.
    pub fn is_refused(&self) -> bool {
        self.spec.send.is_empty()
    }

    /// Whether a manifest is none of Istio's or Kubernetes'.
    pub fn is_ours(manifest: &Manifest) -> bool {
        manifest.api_version.starts_with("switchyard.dev/")
    }
}

/// Every folder below `tests/scenarios` with a `scenario.yaml`, sorted by name. Errors: what is wrong with one.
///
/// While one works on a scenario, `SWITCHYARD_SCENARIOS_ONLY=part-of-a-name` leaves the others out.
pub fn load_all() -> Result<Vec<Scenario>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let only = std::env::var("SWITCHYARD_SCENARIOS_ONLY").unwrap_or_default();
    let mut scenarios = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|error| format!("`{}`: {error}", folder.display()))? {
        let entry = entry.map_err(|error| error.to_string())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "apps" || !name.contains(&only) {
            continue;
        }
        let file = entry.path().join("scenario.yaml");
        let text = fs::read_to_string(&file).map_err(|error| format!("`{}`: {error}", file.display()))?;
        let spec = load(&text).map_err(|error| format!("`{}`: {error}", file.display()))?;
        scenarios.push(Scenario { name, folder: entry.path(), spec });
    }
    scenarios.sort_by(|a, b| a.name.cmp(&b.name));
    if scenarios.is_empty() { Err(format!("no scenario of a name like `{only}`")) } else { Ok(scenarios) }
}

fn load(text: &str) -> Result<Spec, String> {
    let (documents, problems) = yaml::load(text);
    if let Some(problem) = problems.first() {
        return Err(problem.message.clone());
    }
    let [document] = documents.as_slice() else { return Err("write one document".into()) };
    let mut spec: Spec = switchyard_filter::read::read(&document.to_json())
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    if spec.send.is_empty() == spec.istio.is_none() {
        return Err("write `send`; or, of manifests that are refused, `istio`".into());
    }
    if let Some((host, _)) = spec.cannot_run.iter().find(|(host, why)| !is_host(host) || why.is_empty()) {
        return Err(format!("cannotRun: write `envoy` or `istio` with a reason, not `{host}`"));
    }
    let later = spec.istio.iter_mut().flat_map(|istio| &mut istio.send);
    for step in spec.send.iter_mut().chain(later) {
        complete(step).map_err(|error| format!("`{}`: {error}", step.shows))?;
    }
    Ok(spec)
}

fn is_host(name: &str) -> bool {
    matches!(name, "envoy" | "istio")
}

/// Fills in what is left out. Errors: what makes no sense.
fn complete(step: &mut Step) -> Result<(), String> {
    let or = |text: &mut String, default: &str| {
        if text.is_empty() {
            *text = default.into();
        }
    };
    or(&mut step.at, "mesh");
    or(&mut step.method, "GET");
    step.times = step.times.max(1);
    step.at_a_time = if step.at_a_time == 0 { 8 } else { step.at_a_time }.min(step.times);
    if step.at != "mesh" && step.gateway_port().is_none() {
        return Err(format!("`at` is `mesh` or `gateway-<port>`, not `{}`", step.at));
    }
    step.address()?;
    let shares = step.expect.iter().map(Expected::share);
    if (shares.sum::<f64>() - 1.0).abs() > 1e-9 {
        return Err("what is expected makes no 100 percent".into());
    }
    Ok(())
}

impl Step {
    /// The port of the gateway that it is sent to; `None` for the mesh.
    pub fn gateway_port(&self) -> Option<u16> {
        self.at.strip_prefix("gateway-")?.parse().ok()
    }

    /// Authority and target of its URL. Errors: it is none.
    pub fn address(&self) -> Result<(&str, &str), String> {
        let rest = self.url.strip_prefix("http://").ok_or_else(|| format!("`{}` is no http:// URL", self.url))?;
        let slash = rest.find('/').ok_or_else(|| format!("`{}` has no path", self.url))?;
        Ok(rest.split_at(slash))
    }
}

impl Expected {
    /// Its part of one.
    pub fn share(&self) -> f64 {
        self.percent.unwrap_or(100.0) / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::load;

    #[test]
    fn what_a_scenario_cannot_say_is_an_error() {
        let step = |more: &str| format!("{{teaches: x, send: [{{shows: x, url: 'http://a/', {more}}}]}}");
        for (text, error) in [
            ("{teaches: x}".to_owned(), "write `send`; or, of manifests that are refused, `istio`"),
            (step("expect: [{percent: 30}, {percent: 60}]"), "`x`: what is expected makes no 100 percent"),
            (step("expect: [{}], at: edge"), "`x`: `at` is `mesh` or `gateway-<port>`, not `edge`"),
            (step("expect: [{stat: 200}]"), "send[0].expect[0].stat: unknown field `stat`, did you mean `status`?"),
            (step("expect: []").replace("http:", "https:"), "`x`: `https://a/` is no http:// URL"),
        ] {
            assert_eq!(load(&text).unwrap_err(), error, "{text}");
        }
        let step = load(&step("expect: [{}]")).unwrap().send.remove(0);
        assert_eq!((step.at.as_str(), step.method.as_str(), step.times, step.at_a_time), ("mesh", "GET", 1, 1));
    }
}
