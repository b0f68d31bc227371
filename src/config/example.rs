//! `config.example.json`: every key of the file with its default, and two teams to show the shape. Nothing is public in
//! it: who copies it has not said so.

use super::load::Settings;

pub(super) fn example() -> String {
    let mut settings = Settings::default();
    let teams = serde_json::json!({
        "red": { "projects": ["shop", "shop-mobile"], "users": ["ann", "bob@example.com"] },
        "blue": {
            "projects": ["payments"],
            "users": [{ "email": "cleo@example.com", "github_username": "cleo", "gitlab_username": "cleo.b" }],
        },
    });
    settings.teams = serde_json::from_value(teams).expect("the example's teams are valid");
    let mut text = serde_json::to_string_pretty(&settings).expect("settings are JSON");
    text.push('\n');
    text
}
