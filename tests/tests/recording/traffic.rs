//! Requests of every kind.

use switchyard_tests::harness::Request;

/// In every value that a recording must not hold.
pub const SECRET: &str = "s3cret";

/// Rules that must have been asked.
pub const RULES: [&str; 16] = [
    "vip",
    "bytes",
    "beta",
    "old",
    "page",
    "header",
    "issued",
    "ids",
    "tagged",
    "untagged",
    "query",
    "address",
    "post",
    "drawn",
    "noRule",
    "noVirtualHost",
];

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes to an upstream.
    Forwarded,
    /// No rule takes it.
    NotFound,
    /// Envoy itself refuses it.
    Refused,
}

/// A request and what is known of it beforehand.
#[derive(Clone, Debug)]
pub struct Sent {
    pub request: Request,
    pub on_gateway: bool,
    pub fate: Fate,
    /// It brings the cookie along that was issued last.
    pub returns_cookie: bool,
}

fn mesh(method: &str, target: impl Into<Vec<u8>>) -> Sent {
    let request = Request::new(method, "shop", target).header("User-Agent", "test");
    Sent { request, on_gateway: false, fate: Fate::Forwarded, returns_cookie: false }
}

fn edge(method: &str, target: impl Into<Vec<u8>>, round: usize) -> Sent {
    let address = format!("198.51.100.{round}, 203.0.113.{}", round % 9);
    let request = Request::new(method, "www.example.com", target).header("X-Forwarded-For", address);
    Sent { request, ..mesh(method, "/") }.on_gateway()
}

impl Sent {
    /// Whether the filter sees it.
    pub fn is_decided(&self) -> bool {
        self.fate != Fate::Refused
    }

    fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    fn host(mut self, host: &str) -> Self {
        self.request.headers[0].1 = host.into();
        self
    }

    fn on_gateway(mut self) -> Self {
        self.on_gateway = true;
        self
    }

    fn not_found(mut self) -> Self {
        self.fate = Fate::NotFound;
        self
    }

    fn refused(mut self) -> Self {
        self.fate = Fate::Refused;
        self
    }

    fn with_issued_cookie(mut self) -> Self {
        self.returns_cookie = true;
        self
    }
}

/// Values of a header that rules ask for: every byte that Envoy lets pass, and more.
fn plans() -> Vec<Vec<u8>> {
    let high: Vec<u8> = (0x80..=0xff).collect();
    let printable: Vec<u8> = (b' '..=b'~').collect();
    let texts: [&[u8]; 14] = [
        b"gold",
        b"gold \xff\xfe",
        b"caf\xc3\xa9",
        b"caf\xe9",
        b"caf\"quoted\\\"",
        b"caf\\u00e9 \\n",
        b"caf\ttab",
        b"-",
        b"null",
        b"",
        b"caf\xe2\x82\xac \xf0\x9d\x84\x9e",
        b"caf\xc2\x80\xc2\xbf",
        b"12",
        b"caf\xf0\x9d",
    ];
    let mut all: Vec<Vec<u8>> = texts.iter().map(|text| text.to_vec()).collect();
    all.push([b"caf", &high[..]].concat());
    all.push([b"caf", &printable[..]].concat());
    all
}

/// One id that several requests carry.
const SHARED: &str = "11111111-2222-4333-8444-555555555555";

/// Some hundreds of requests.
pub fn traffic() -> Vec<Sent> {
    let plans = plans();
    let mut all = Vec::new();
    for round in 0..24 {
        let user = format!("uid={SECRET}-{}", round % 7);
        let uuid = format!("{round:08x}-4f2b-4c1d-9e57-0a1b2c3d4e5f");
        let ids: [&[u8]; 11] = [
            b"",
            b"-",
            b"abc",
            uuid.as_bytes(),
            b"\"quoted\\",
            b"caf\xe9",
            b"caf\xc3\xa9",
            b"a/b/c",
            b"null",
            b"x; y=z",
            b"\"both\"",
        ];
        let id = ids[round % ids.len()];
        let plan = &plans[round % plans.len()];
        let long = "p".repeat(700 * (round % 4));

        all.push(
            mesh("GET", format!("/old/{round}?{SECRET_FREE}")).header("Cookie", &*user).header("X-Request-Id", id),
        );
        all.push(
            mesh("GET", format!("/old/%41%2f{long}%ff?x=%00&y={round}"))
                .header("cookie", format!("a=b; {user}; c={SECRET}")),
        );
        all.push(
            mesh("GET", "/old/twice").header("cookie", "a=b").header("cookie", &*user).header("x-request-id", SHARED),
        );
        all.push(mesh("GET", "/old/nobody").header("cookie", "uid="));
        all.push(mesh("POST", format!("/page?from={round}")).header("x-request-id", SHARED));
        all.push(mesh("GET", "/header").header("X-User", format!("{SECRET} {}", round % 5)));
        all.push(
            mesh("GET", "/header/twice")
                .header("x-user", SECRET)
                .header("X-USER", format!("{round}"))
                .header("x-request-id", id),
        );
        all.push(mesh("GET", "/header/none").header("x-user", "").header("x-request-id", id));
        all.push(mesh("GET", "/issued").header("x-request-id", SHARED));
        all.push(mesh("GET", "/issued/again").with_issued_cookie());
        all.push(mesh("GET", "/ids"));
        all.push(
            mesh("GET", "/ids/sent").header("x-request-id", id).header("Authorization", format!("Bearer {SECRET}")),
        );
        all.push(mesh("GET", "/ids/shared").header("x-request-id", SHARED));
        all.push(mesh("GET", "/ids/twice").header("x-request-id", id).header("x-request-id", "second"));
        all.push(mesh("PURGE", "/tagged").header("tier", ["a", "b", "c", ""][round % 4]).header("X-Request-Id", id));
        all.push(
            mesh("GET", "/tagged")
                .header("x-plan", &plan[..])
                .header("tier", "a")
                .header("tier", "b")
                .header("User_Type", "x"),
        );
        all.push(mesh("GET", "/ids/plan").header("x-plan", &plan[..]).header("x-noise", &plan[..]));
        all.push(
            mesh("GET", "/ids/plans")
                .header("x-plan", "caf")
                .header("X-Plan", &plan[..])
                .header("Proxy-Authorization", SECRET),
        );
        all.push(
            mesh("GET", format!("/x/../ids/./{round}/%2e%2e/y//z?beta={}", round % 2))
                .header("x-vip", ["no", "yes"][round / 2 % 2]),
        );
        all.push(mesh("GET", "/none").header("tier", "a").not_found());
        all.push(mesh("GET", "/ids").host(["unknown", "shop.example", "www.example.com"][round % 3]).not_found());
        all.push(mesh("GET", "/ids/port").host(["shop:3000", "SHOP", "shop.workshop.svc.cluster.local"][round % 3]));
        all.push(mesh("GET", ["/a#b", "/%00", "/ids\x01"][round % 3]).refused());
        all.push(mesh("GET", "/ids").header("x-plan", &[b"a", &[[1, 0, 0x7f][round % 3]][..]].concat()[..]).refused());

        all.push(edge("GET", format!("/query/{round}?user={SECRET}-{}", round % 5), round));
        all.push(edge("GET", format!("/query?user=&user={SECRET}"), round).header("x-request-id", SHARED));
        all.push(edge("GET", format!("/query?other={SECRET}&x={long}"), round));
        all.push(edge("GET", format!("/query?user={SECRET}#x"), round).header("cookie", SECRET).refused());
        all.push(edge("GET", "/address", round).header("cookie", &*user));
        all.push(edge("POST", "/anything", round).header("x-request-id", id));
        all.push(edge("GET", "/ids/?a=b", round).header("tier", "a").header("user-type", "mine"));
        all.push(edge("GET", "/none", round).not_found());
    }
    all
}

const SECRET_FREE: &str = "q=%22a%22&uid=public";
