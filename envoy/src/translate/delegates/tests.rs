use super::super::tests::{SERVICES, manifests, told};
use super::super::{Model, Options};

const ROUTE: &str = "route: [{destination: {host: catalogdetail.workshop.svc.cluster.local}}]";

fn virtual_service(namespace: &str, name: &str, fields: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{{fields}}}
"
    )
}

fn root(rules: &str) -> String {
    virtual_service("workshop", "root", &format!("hosts: [catalogdetail], http: [{rules}]"))
}

fn leaf(fields: &str) -> String {
    virtual_service("team", "leaf", &format!("{fields}http: [{{{ROUTE}}}]"))
}

const TO: &str = "{delegate: {name: leaf, namespace: team}}";

#[test]
fn a_delegate_that_is_used_is_part_of_the_listener_and_nothing_is_said_of_it() {
    let (root, leaf) = (root(TO), leaf(""));
    let other = virtual_service("team", "other", &format!("http: [{{{ROUTE}}}]"));
    let manifests = manifests(&[SERVICES, &root, &leaf, &other]);
    let model = Model::new(&manifests, &Options::default()).expect("right");
    let listener = model.listener(&model.mesh()).expect("right");
    let names: Vec<_> = listener.document.virtual_services.iter().map(|vs| vs.name.as_str()).collect();
    assert_eq!(names, ["root", "leaf"]);
    let rule = &listener.policy.rules()[0];
    assert_eq!((&*rule.virtual_service, &*rule.name), ("workshop/root", "http[0]-http[0]"));
    let (place, field) = listener.place("virtualServices[1].http[0].route[0].destination.host").expect("a place");
    assert_eq!((place.source.name.as_str(), field.as_str()), ("c.yaml", "http[0].route[0].destination.host"));
    let message = "no request comes here: a VirtualService without `hosts` is a delegate, and no rule delegates to it";
    assert_eq!(told(&[SERVICES, &root, &leaf, &other]), [format!("warning d.yaml:4:8: {message}")]);
}

#[test]
fn a_delegate_that_is_not_there_is_an_error_with_the_nearest_name() {
    let to = |name: &str, namespace: &str| root(&format!("{{delegate: {{name: {name}, namespace: {namespace}}}}}"));
    let unused = "warning c.yaml:4:8: no request comes here: a VirtualService without `hosts` is a delegate, and no rule \
                  delegates to it";
    for (name, namespace, expected) in [
        ("laef", "team", "4:57: there is no delegate `team/laef`"),
        ("leaf", "taem", "4:57: there is no delegate `taem/leaf`"),
        ("root", "workshop", "4:40: `workshop/root` has `hosts`, so it is no delegate"),
    ] {
        assert_eq!(told(&[SERVICES, &to(name, namespace), &leaf("")]), [&format!("error b.yaml:{expected}"), unused]);
        let texts = [SERVICES, &to(name, namespace)];
        let manifests = manifests(&texts);
        let options = Options { allow_missing: true, ..Options::default() };
        let model = Model::new(&manifests, &options).expect("missing things are allowed");
        assert_eq!(model.listener(&model.mesh()).expect("right").policy.rules().len(), 0);
    }
    let texts = [SERVICES, &to("laef", "team"), &leaf("")];
    let manifests = manifests(&texts);
    let found = Model::new(&manifests, &Options::default()).expect_err("it is not there");
    assert_eq!(found[0].help.as_deref(), Some("did you mean `leaf`?"));
}

#[test]
fn what_is_not_exported_here_is_a_warning() {
    let message = "this rule has no effect: the delegate `team/leaf` is not exported to `workshop`";
    let said = told(&[SERVICES, &root(TO), &leaf("exportTo: ['.'], ")]);
    assert_eq!(said, [format!("warning b.yaml:4:40: {message}")]);
    assert_eq!(told(&[SERVICES, &root(TO), &leaf("exportTo: [workshop], ")]), [""; 0]);
    let hidden =
        virtual_service("workshop", "a", &format!("hosts: [catalogdetail], exportTo: [team], http: [{{{ROUTE}}}]"));
    let message = "no request comes here: the proxy's namespace `workshop` is none that it is exported to";
    assert_eq!(told(&[SERVICES, &hidden]), [format!("warning b.yaml:4:32: {message}")]);
    let manifests = manifests(&[SERVICES, &hidden]);
    let model = Model::new(&manifests, &Options::default()).expect("right");
    assert!(model.listener(&model.mesh()).expect("right").document.virtual_services.is_empty());
}

#[test]
fn rules_that_contradict_each_other_are_warnings() {
    let to =
        |prefix: &str| format!("{{match: [{{uri: {{prefix: {prefix}}}}}], delegate: {{name: leaf, namespace: team}}}}");
    let rules = format!(
        "http: [{{match: [{{uri: {{prefix: /a/b}}}}], {ROUTE}}}, {{match: [{{uri: {{regex: '/a.*'}}}}], {ROUTE}}}]"
    );
    let leaf = virtual_service("team", "leaf", &rules);
    let dropped = "warning c.yaml:4:124: no request comes here: what this rule asks for contradicts what `workshop/root` \
                   asks for before, as Istio compares them";
    assert_eq!(told(&[SERVICES, &root(&to("/a")), &leaf]), [dropped]);
    let (one, two) = (to("/a"), to("/c"));
    let nothing =
        "this rule has no effect: what it asks for contradicts every rule of `team/leaf`, as Istio compares them";
    let said = told(&[SERVICES, &root(&format!("{one}, {two}")), &leaf]);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("warning b.yaml:4:") && said[0].ends_with(nothing), "{said:?}");
    assert!(said[1].contains("contradicts what `workshop/root`, `workshop/root` asks"), "{said:?}");
}

#[test]
fn what_is_wrong_with_a_delegate_is_told_once_where_it_is_written() {
    let bad = virtual_service("team", "leaf", "http: [{timeout: 0s, route: [{destination: {host: nobody}}]}]");
    let said = told(&[SERVICES, &root(&format!("{TO}, {TO}")), &bad]);
    assert_eq!(
        said,
        [
            "error c.yaml:4:25: `0s`: at least `1ms`",
            "error c.yaml:4:58: no ServiceEntry or Service has the host `nobody.team.svc.cluster.local`, which `nobody` means here",
        ]
    );
    let port = virtual_service(
        "team",
        "leaf",
        "http: [{route: [{destination: {host: catalogdetail.workshop.svc.cluster.local, port: {number: 9}}}]}]",
    );
    let said = told(&[SERVICES, &root(&format!("{TO}, {TO}")), &port]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].ends_with("`catalogdetail.workshop.svc.cluster.local` has no port `9`"), "{said:?}");
}
