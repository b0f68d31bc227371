//! Changes to JSON that leave it JSON: libFuzzer's own, which know only bytes, mostly break it.

use serde_json::{Value, json};

/// Puts something else in a few places of the text; `None` when the text is no JSON, or would not fit.
pub fn json(text: &[u8], most: usize, seed: u32) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(text).ok()?;
    let mut dice = Dice(u64::from(seed) | 1 << 40);
    for _ in 0..=dice.below(4) {
        let place = dice.below(count(&value));
        change(&mut value, place, &mut dice);
    }
    serde_json::to_vec(&value).ok().filter(|text| text.len() <= most)
}

/// xorshift: the same seed has to give the same change, and nothing else depends on it.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % (end.max(1) as u64)).unwrap_or_default()
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// Changes the place of this number, counted from the top. Returns how many of the number are left to count.
fn change(value: &mut Value, place: usize, dice: &mut Dice) -> Option<usize> {
    if place == 0 {
        replace(value, dice);
        return None;
    }
    let mut left = place - 1;
    let inner: Box<dyn Iterator<Item = &mut Value>> = match value {
        Value::Array(items) => Box::new(items.iter_mut()),
        Value::Object(fields) => Box::new(fields.values_mut()),
        _ => return Some(left),
    };
    for value in inner {
        left = change(value, left, dice)?;
    }
    Some(left)
}

fn replace(value: &mut Value, dice: &mut Dice) {
    match (&mut *value, dice.below(4)) {
        (Value::Array(items), 0) if !items.is_empty() => {
            let item = items[dice.below(items.len())].clone();
            items.push(item);
        }
        (Value::Array(items), 1) if !items.is_empty() => drop(items.remove(dice.below(items.len()))),
        (Value::Object(fields), 0 | 1) if !fields.is_empty() => {
            let name = fields.keys().nth(dice.below(fields.len())).cloned().unwrap_or_default();
            fields.remove(&name);
        }
        (Value::String(text), 0) => {
            let cut = text.chars().take(dice.below(text.chars().count() + 1)).collect();
            *text = cut;
        }
        (Value::String(text), 1) => {
            let words = ["\u{130}", "\n", ":", "/", "@", ".", "%", "#", "ß", "\u{0}", "2026-06-15T12:00:00Z", "-"];
            text.push_str(words[dice.below(words.len())]);
        }
        _ => *value = odd(dice),
    }
}

/// What people do not think of.
fn odd(dice: &mut Dice) -> Value {
    let all = [
        json!(null),
        json!(true),
        json!(false),
        json!(""),
        json!(" "),
        json!(0),
        json!(-1),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
        json!(1_781_524_800),
        json!(1_781_524_800_000_i64),
        json!(1_781_524_800_000_000_000_i64),
        json!("0001-01-01T00:00:00Z"),
        json!("9999-12-31T23:59:59.999999999+23:59"),
        json!("2026-06-15T12:00:00.123456789-02:30"),
        json!("+262142-01-01T00:00:00Z"),
        json!("success"),
        json!("failed"),
        json!("closed"),
        json!("opened"),
        json!("resolved"),
        json!("x".repeat(300)),
        json!("ü".repeat(300)),
        json!([]),
        json!([null]),
        json!([[[]]]),
        json!({}),
        json!({"name": "incident"}),
        json!("refs/heads/"),
        json!("root cause: \u{130}"),
    ];
    all[dice.below(all.len())].clone()
}
