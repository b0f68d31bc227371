//! Writing to the terminal without falling over a reader that has gone (`| head`).

use std::io::Write as _;

/// The command's result.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Everything that is not the result.
pub(super) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A length of time as people say it, in its two largest units.
pub(super) fn duration(seconds: f64) -> String {
    const UNITS: [(f64, &str); 3] = [(86_400.0, "d"), (3600.0, "h"), (60.0, "min")];
    let total = seconds.round();
    for (index, (unit, name)) in UNITS.into_iter().enumerate() {
        if total.abs() < unit {
            continue;
        }
        let (smaller, smaller_name) = UNITS.get(index + 1).copied().unwrap_or((1.0, "s"));
        let whole = (total / unit).trunc();
        let rest = ((total - whole * unit) / smaller).trunc().abs();
        return if rest > 0.0 { format!("{whole} {name} {rest} {smaller_name}") } else { format!("{whole} {name}") };
    }
    format!("{total} s")
}
