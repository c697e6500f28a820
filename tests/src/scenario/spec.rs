//! `scenario.yaml` as it is written. Unknown keys are errors.

use std::collections::BTreeMap;
use switchyard_filter::record;

record! {
    /// A scenario.
    pub struct Spec {
        /// What the tutorial teaches, in a sentence.
        teaches: String = "teaches" required,
        /// The application that it is applied to, a folder of `tests/scenarios/apps`. Default: the manifests have all.
        app: String = "app",
        /// The namespace of who calls. Default: that of the manifests where they agree, else `default`.
        namespace: String = "namespace",
        /// The mesh's port, where services have several.
        port: Option<u16> = "port",
        /// Requests once the manifests are applied; none where they are refused.
        send: Vec<Step> = "send",
        /// How Istio fares with manifests that we refuse.
        istio: Option<Refused> = "istio",
        /// Hosts that cannot run it (`envoy`, `istio`), each with the reason.
        cannot_run: BTreeMap<String, String> = "cannotRun",
    }
}

record! {
    /// What Istio makes of manifests that we refuse.
    pub struct Refused {
        /// Whether it takes them.
        takes: bool = "takes" required,
        /// What then comes of requests.
        send: Vec<Step> = "send",
    }
}

record! {
    /// A request, sent once or many times, and what must come of it.
    pub struct Step {
        /// What it shows.
        shows: String = "shows" required,
        /// `mesh` or `gateway-<port>`. Default: `mesh`.
        at: String = "at",
        /// Default: `GET`.
        method: String = "method",
        /// `http://authority/path?query`.
        url: String = "url" required,
        /// Headers.
        headers: BTreeMap<String, String> = "headers",
        /// How often. Default: 1.
        times: u32 = "times",
        /// How many at a time. Default: 8.
        at_a_time: u32 = "atATime",
        /// What may become of one: each is the first of these that it fits.
        expect: Vec<Expected> = "expect" required,
        /// How many requests come to a workload for each that is sent, copies and retries among them; none to others.
        arrived: BTreeMap<String, f64> = "arrived",
    }
}

record! {
    /// What may become of a request: only what is named counts.
    pub struct Expected {
        /// How many of a hundred, by chance. Default: all.
        percent: Option<f64> = "percent",
        /// The status.
        status: Option<u16> = "status",
        /// The workload that answered; `nobody` where Envoy itself did.
        upstream: Option<String> = "upstream",
        /// Path and query as they came to the workload.
        path: Option<String> = "path",
        /// Headers as they came to the workload, repeats joined by `,`; `null` for none.
        upstream_headers: BTreeMap<String, Option<String>> = "upstreamHeaders",
        /// Headers of the response, likewise.
        response_headers: BTreeMap<String, Option<String>> = "responseHeaders",
        /// The body where Envoy itself answered.
        body: Option<String> = "body",
        /// How long it took: never less, and little more.
        seconds: Option<f64> = "seconds",
    }
}
