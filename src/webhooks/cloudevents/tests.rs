use proptest::prelude::*;

use super::*;

fn sent(headers: &[(&str, &str)], body: &str) -> Result<Vec<Value>, String> {
    let headers: Headers = headers.iter().copied().collect();
    events(&headers, body.as_bytes()).map_err(|broken| broken.to_string())
}

fn structured_json(id: &str) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "/ci", "type": "dev.cdevents.service.deployed.0.3.0",
        "data": {"context": {}, "subject": {"id": "shop"}}})
}

#[test]
fn one_event_in_every_mode_is_one_event() {
    let bare = json!({
        "context": {"specversion": "0.5.0", "id": "e-1", "source": "/ci", "type": "dev.cdevents.service.deployed.0.3.0",
            "timestamp": "2026-06-15T12:00:00Z"},
        "subject": {"id": "shop", "content": {}}});
    let expected = vec![json!({
        "specversion": "1.0", "id": "e-1", "source": "/ci", "type": "dev.cdevents.service.deployed.0.3.0",
        "time": "2026-06-15T12:00:00Z", "subject": "shop", "datacontenttype": "application/cdevents+json", "data": bare})];
    let binary = [
        ("ce-specversion", "1.0"),
        ("CE-ID", "e-1"),
        ("ce-source", "/ci"),
        ("ce-type", "dev.cdevents.service.deployed.0.3.0"),
        ("ce-time", "2026-06-15T12:00:00Z"),
        ("ce-subject", "shop"),
        ("content-type", "application/cdevents+json; charset=utf-8"),
    ];
    assert_eq!(sent(&binary, &bare.to_string()).unwrap(), expected);
    assert_eq!(sent(&[("content-type", "application/json")], &bare.to_string()).unwrap(), expected);
    let one = expected[0].to_string();
    for content_type in
        ["application/cloudevents+json", "Application/CloudEvents+JSON; charset=UTF-8", "text/plain", ""]
    {
        assert_eq!(sent(&[("content-type", content_type)], &one).unwrap(), expected, "{content_type}");
    }
    let batch = format!("[{one}, {bare}]");
    for content_type in ["application/cloudevents-batch+json", "application/json"] {
        let twice = [expected.clone(), expected.clone()].concat();
        assert_eq!(sent(&[("content-type", content_type)], &batch).unwrap(), twice, "{content_type}");
    }
    assert_eq!(sent(&[("content-type", "application/cloudevents-batch+json")], "[]").unwrap(), Vec::<Value>::new());
}

#[test]
fn what_is_missing_is_named() {
    let said = |headers: &[(&str, &str)], body: &Value| sent(headers, &body.to_string()).unwrap_err();
    for attribute in ATTRIBUTES {
        for value in [Value::Null, json!(""), json!(7)] {
            let mut event = structured_json("1");
            event[*attribute] = value;
            let expected = format!("the body has no {attribute}, which every event needs");
            assert_eq!(said(&[("content-type", "application/cloudevents+json")], &event), expected);
            let batch = json!([structured_json("1"), event]);
            let expected = format!("event 2 of the batch has no {attribute}, which every event needs");
            assert_eq!(said(&[("content-type", "application/cloudevents-batch+json")], &batch), expected);
        }
        let all = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/ci"), ("ce-type", "a.b")];
        let some: Vec<_> = all.into_iter().filter(|(name, _)| !name.ends_with(attribute)).collect();
        let expected = format!("the event in the ce- headers has no {attribute}, which every event needs");
        assert_eq!(said(&some, &json!({})), expected);
    }
    let no_id = json!({"context": {"source": "/ci", "type": "dev.cdevents.service.deployed.0.3.0"}, "subject": {}});
    assert_eq!(said(&[], &no_id), "the body has no id, which every event needs");
}

#[test]
fn what_is_no_event_is_told_how_to_be_one() {
    let structured = ("content-type", "application/cloudevents+json");
    assert!(sent(&[structured], "{").unwrap_err().starts_with("the body is no JSON: "));
    assert!(sent(&[structured], "").unwrap_err().starts_with("the body is no JSON: "));
    assert!(sent(&[], "{\"hello\": 1}").unwrap_err().starts_with("the body is no event: send a CloudEvent"));
    assert!(sent(&[], "7").unwrap_err().starts_with("the body is no event: "));
    let batch = ("content-type", "application/cloudevents-batch+json");
    assert_eq!(sent(&[batch], "{}").unwrap_err(), "a batch is a list of events, in brackets");
    assert!(sent(&[batch], "[3]").unwrap_err().starts_with("event 1 of the batch is no event"));
    let avro = sent(&[("content-type", "application/cloudevents+avro")], "x").unwrap_err();
    assert!(avro.starts_with("events in the form of application/cloudevents+avro are not read"), "{avro}");
    let mut old = structured_json("1");
    old["specversion"] = json!("0.3");
    let said = sent(&[structured], &old.to_string()).unwrap_err();
    assert_eq!(said, "the body has specversion \"0.3\"; 1.0 is understood");
}

#[test]
fn headers_are_decoded_and_bytes_too() {
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "Euro%20%E2%82%AC"),
        ("ce-source", "/ci"),
        ("ce-type", "a.b"),
        ("content-type", "text/plain"),
    ];
    let event = &sent(&headers, "hi").unwrap()[0];
    assert_eq!((&event["id"], &event["data_base64"]), (&json!("Euro €"), &json!("aGk=")));
    let mut bytes = structured_json("1");
    bytes.as_object_mut().unwrap().remove("data");
    bytes["data_base64"] = json!("eyJhIjoxfQ==");
    let event = &sent(&[], &bytes.to_string()).unwrap()[0];
    assert_eq!((&event["data"], event.get("data_base64")), (&json!({"a": 1}), None));
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(
        names in prop::collection::vec(prop::sample::select(vec!["ce-id", "ce-type", "ce-source", "ce-specversion",
            "content-type"]), 0..5),
        values in prop::collection::vec("(application/cloudevents(-batch)?\\+json|1\\.0|.{0,10})", 5),
        body in "(\\[?\\{?\"?(context|id|specversion)?\"?[:,]?.{0,10}\\}?\\]?)",
    ) {
        let headers: Headers = names.into_iter().zip(values).collect();
        let _ = events(&headers, body.as_bytes());
    }
}
