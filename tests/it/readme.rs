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

/// What a pipeline tells must not be lost because the service is being restarted.
#[test]
fn every_curl_of_the_readme_that_tells_something_is_repeated() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let calls: Vec<_> = readme.lines().filter(|line| line.contains("curl -f") && !line.starts_with("ask()")).collect();
    assert_eq!(calls.len(), 3, "{calls:#?}");
    assert!(calls.iter().all(|call| call.contains("--retry 5 --retry-all-errors --max-time 20")), "{calls:#?}");
    // outside a block, YAML takes the colon of a header for one of its own
    let headers: Vec<_> =
        readme.lines().filter(|line| line.starts_with("  ") && line.contains("Authorization:")).collect();
    assert_eq!(headers.len(), 6, "{headers:#?}");
    assert!(headers.iter().all(|line| line.trim_start().starts_with("$CURL -H")), "{headers:#?}");
}

fn with_table(readme: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (head, rest) = readme.split_once(&begin).expect("the begin mark");
    let (_, tail) = rest.split_once(&end).expect("the end mark");
    format!("{head}{begin}{}\n{end}{tail}", table.trim_end())
}
