//! Making the bodies of webhooks: only what is read from them, so that what is kept of a delivery is small, and the
//! same as long as nothing that matters has changed.

use serde_json::{Map, Value};

/// The parts that the JSON pointers lead to, at their places; what is not there or null is left out.
pub fn only(value: &Value, pointers: &[&str]) -> Value {
    let mut kept = Map::new();
    for pointer in pointers {
        let Some(found) = value.pointer(pointer).filter(|found| !found.is_null()) else { continue };
        put(&mut kept, pointer.trim_start_matches('/'), found.clone());
    }
    Value::Object(kept)
}

fn put(object: &mut Map<String, Value>, path: &str, value: Value) {
    let Some((first, rest)) = path.split_once('/') else {
        object.insert(path.to_owned(), value);
        return;
    };
    let inner = object.entry(first).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(inner) = inner {
        put(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_named_is_kept_where_it_was() {
        let value = json!({"id": 1, "user": {"login": "ann", "id": 7, "type": null}, "body": "long", "none": null});
        let kept = only(&value, &["/id", "/user/login", "/user/type", "/user/id", "/none", "/absent/part"]);
        assert_eq!(kept, json!({"id": 1, "user": {"login": "ann", "id": 7}}));
    }
}
