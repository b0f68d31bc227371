//! The README's tables are made from the code. `EM_UPDATE=1` writes them anew.

use std::path::Path;

#[test]
fn the_readme_shows_the_catalogue_and_the_configuration() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let fresh = with_table(&readme, "metrics", &em_metrics::metrics::table_markdown());
    let fresh = with_table(&fresh, "configuration", &em_metrics::config::table_markdown());
    let fresh = with_table(&fresh, "own metrics", &em_metrics::telemetry::instruments::table_markdown());
    if std::env::var_os("EM_UPDATE").is_some() {
        std::fs::write(&path, fresh).unwrap();
        return;
    }
    assert!(readme == fresh, "a table in README.md is stale: run EM_UPDATE=1 cargo test --test it readme");
}

fn with_table(readme: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (head, rest) = readme.split_once(&begin).expect("the begin mark");
    let (_, tail) = rest.split_once(&end).expect("the end mark");
    format!("{head}{begin}{}\n{end}{tail}", table.trim_end())
}
