//! What happens to some of the requests: faults and mirrors (istio.md 1.13, 1.14).

use super::Destination;
use crate::record;

record! {
    /// A percentage.
    pub struct Percent {
        /// 0 to 100; what is below a millionth of the whole is cut off.
        value: f64 = "value",
    }
}

record! {
    /// What goes wrong on purpose: a delay, an abort, or both, each with its own draw.
    pub struct HttpFaultInjection {
        /// The request waits.
        delay: Option<Delay> = "delay",
        /// The request is answered with an error, after any delay.
        abort: Option<Abort> = "abort",
    }
}

record! {
    /// A delay.
    pub struct Delay {
        /// How many of 100 requests are delayed. Default: none.
        percentage: Option<Percent> = "percentage",
        /// Deprecated for `percentage`.
        percent: Option<i32> = "percent",
        /// How long (Go duration, whole milliseconds).
        fixed_delay: Option<String> = "fixedDelay",
    }
    refused { "exponentialDelay" = "Istio refuses `exponentialDelay`: write `fixedDelay`" }
}

record! {
    /// An abort.
    pub struct Abort {
        /// How many of 100 requests are aborted. Default: none.
        percentage: Option<Percent> = "percentage",
        /// The status, 200 to 599.
        http_status: Option<i32> = "httpStatus",
        /// The gRPC status by name: `UNAVAILABLE`.
        grpc_status: Option<String> = "grpcStatus",
    }
    refused {
        "http2Error" = "Istio refuses `http2Error`: write `httpStatus` or `grpcStatus`",
        "percent" = "an abort has no `percent`: write `percentage: {value: …}`",
    }
}

record! {
    /// Where a copy of some requests goes.
    pub struct HttpMirrorPolicy {
        /// Where to.
        destination: Option<Destination> = "destination",
        /// How many of 100 requests. Default: all.
        percentage: Option<Percent> = "percentage",
    }
}
