//! Which of it is legal, and what is said of the rest.

use super::*;
use crate::core::resource::{Document, Metadata};
use serde_json::json;

fn checked(spec: serde_json::Value) -> Result<App, Vec<String>> {
    let object: ObjectRef = "project/shop".parse().unwrap();
    let metadata = Metadata { name: object.name.clone(), labels: [].into(), annotations: [].into() };
    let document = Document {
        object: object.clone(),
        metadata,
        spec: spec.clone(),
        place: Default::default(),
        places: Default::default(),
    };
    let app: AppSpec = serde_json::from_value(spec).unwrap();
    let field = "environments.production.apps.web";
    let mut found = Found::below(&document, &format!("spec.{field}"));
    let app = check(&app, (&object, field), None, false, &mut found);
    app.ok_or_else(|| found.problems.iter().map(|p| format!("{}: {}", p.path, p.what)).collect())
}

#[test]
fn each_field_has_its_legal_values() {
    let app = checked(json!({
        "image": "shop:1.4",
        "command": ["npm", "start"],
        "env": {"A": 1, "B": {"value": "x", "override": true}, "C": {"valueFrom": {"file": "./c"}}},
        "ports": ["8080:3000", "0.0.0.0:443:8443", "[::1]:8080:3000"],
        "volumes": ["uploads:/var/lib/uploads/"],
        "resources": {"memory": "64Mi", "cpus": 0.5},
        "healthCheck": {"http": {"port": 3000}, "graceSeconds": 5},
    }))
    .unwrap();
    assert_eq!(app.env["A"], Variable { value: Value::Plain("1".into()), overrides: false });
    assert_eq!(app.env["B"], Variable { value: Value::Plain("x".into()), overrides: true });
    let Value::Secret(_, place) = &app.env["C"].value else { panic!("{:?}", app.env) };
    assert_eq!(place.to_string(), "project/shop:environments.production.apps.web.env.C");
    let ports: Vec<String> =
        app.ports.iter().map(|p| format!("{} {} {}", p.host_ip, p.host, p.container)).collect();
    assert_eq!(ports, ["127.0.0.1 8080 3000", "::1 8080 3000", "0.0.0.0 443 8443"]);
    assert_eq!(app.volumes, [("/var/lib/uploads".to_owned(), "uploads".to_owned())].into());
    assert_eq!((&app.health, app.grace), (&Health::Http { port: 3000, path: "/".into() }, 5));
    assert_eq!(checked(json!({"image": "a"})).unwrap().health, Health::Runs);
}

#[test]
fn what_is_wrong_is_said_where_it_stands() {
    let root = "spec.environments.production.apps.web";
    let with = |field: &str, value: serde_json::Value| {
        let mut spec = json!({"image": "a"});
        spec[field] = value;
        checked(spec)
    };
    for (field, value, at, why) in [
        ("image", json!("a:b:c"), "image", "not an image reference"),
        ("resources", json!({"memory": "1Mi"}), "resources.memory", "too little for an application"),
        ("env", json!({"A-B": "x"}), "env.A-B", "letters, digits and underscores"),
        ("env", json!({"1": "x"}), "env.1", "no digit first"),
        ("env", json!({"": "x"}), "env[\"\"]", "letters"),
        ("env", json!({"SEAWALL_X": "x"}), "env.SEAWALL_X", "reserved"),
        ("env", json!({"A": {"override": true}}), "env.A", "one of value and valueFrom"),
        ("env", json!({"A": {"value": "", "valueFrom": {"file": "a"}}}), "env.A", "one of value"),
        ("env", json!({"A": {"valueFrom": {"file": "/a"}}}), "env.A.valueFrom.file", "relative"),
        ("env", json!({"A": {"valueFrom": {"sealed": "x"}}}), "env.A.valueFrom.sealed", "not a sealed"),
        ("env", json!({"A": "x\0"}), "env.A", "NUL"),
        ("command", json!(["x\0"]), "command", "NUL"),
        ("ports", json!(["3000"]), "ports[0]", "write [HOST_IP:]"),
        ("ports", json!(["0:3000"]), "ports[0]", "write [HOST_IP:]"),
        ("ports", json!(["host:1:3000"]), "ports[0]", "write [HOST_IP:]"),
        ("ports", json!(["53:53/udp"]), "ports[0]", "only TCP"),
        ("ports", json!(["80:1", "127.0.0.1:80:2"]), "ports[1]", "published twice"),
        ("volumes", json!(["/srv:/srv"]), "volumes[0]", "directories of this machine"),
        ("volumes", json!(["./a:/srv"]), "volumes[0]", "directories of this machine"),
        ("volumes", json!(["a"]), "volumes[0]", "write NAME:/PATH"),
        ("volumes", json!(["a:"]), "volumes[0]", "write NAME:/PATH"),
        ("volumes", json!(["a:/x/../y"]), "volumes[0]", "no path"),
        ("volumes", json!(["a:/x:ro"]), "volumes[0]", "no path"),
        ("volumes", json!(["A:/x"]), "volumes[0]", "lower-case"),
        ("volumes", json!(["a:/x", "b:/x"]), "volumes[1]", "two volumes"),
        ("volumes", json!(["a:/x", "a:/y"]), "volumes[1]", "mounted twice"),
        ("healthCheck", json!({}), "healthCheck", "one of http, tcp and exec"),
        ("healthCheck", json!({"tcp": {"port": 0}}), "healthCheck.tcp.port", "no port"),
        ("healthCheck", json!({"exec": {"command": []}}), "healthCheck.exec.command", "empty"),
        ("healthCheck", json!({"http": {"port": 1, "path": "x"}}), "healthCheck.http.path", "begins with /"),
        (
            "healthCheck",
            json!({"tcp": {"port": 1}, "graceSeconds": 0}),
            "healthCheck.graceSeconds",
            "from 1 to",
        ),
    ] {
        let problems = with(field, value.clone()).expect_err(&value.to_string());
        let sep = if at.starts_with('[') { "" } else { "." };
        assert!(problems[0].starts_with(&format!("{root}{sep}{at}: ")), "{value}: {problems:?}");
        assert!(problems[0].contains(why), "{value}: {problems:?}");
    }
}
