//! `/public`: all that is public on one page, made of panels. No script.

use askama::Template;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::times;
use crate::config::Publication;
use crate::domain::Timestamp;
use crate::dora::words;

pub const STYLE: &str = include_str!("templates/public.css");

#[derive(Debug, Template)]
#[template(path = "public.html", config = "src/http/public/askama.toml")]
struct Page {
    sections: Vec<Section>,
    as_of: String,
}

#[derive(Debug)]
struct Section {
    projects: Vec<String>,
    panels: Vec<Panel>,
}

#[derive(Debug)]
struct Panel {
    title: &'static str,
    /// The address of the picture, but for its theme.
    address: String,
}

pub fn html(publications: &[Publication], as_of: Timestamp) -> Result<String, askama::Error> {
    let sections = publications.iter().map(section).collect();
    Page { sections, as_of: times::moment(as_of) }.render()
}

fn section(publication: &Publication) -> Section {
    let projects: Vec<_> = publication.projects.iter().map(ToString::to_string).collect();
    let of_each = projects.iter().map(|name| format!("project_id={}", utf8_percent_encode(name, NON_ALPHANUMERIC)));
    let query = of_each.collect::<Vec<_>>().join("&");
    let panels = publication.metrics.iter().map(|metric| Panel {
        title: words::title(*metric),
        address: format!("panels/{}.svg?{query}&limits=true&theme=", metric.name()),
    });
    Section { panels: panels.collect(), projects }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Name;
    use crate::dora::explain::Metric;

    #[test]
    fn names_cannot_break_out() {
        let hostile = r#"a&b="1"><script>"#;
        let publication =
            Publication { projects: vec![Name::parse(hostile).unwrap()], metrics: vec![Metric::ChangeFailureRate] };
        let page = html(&[publication], Timestamp::EPOCH).unwrap();
        assert!(!page.contains("<script"), "{page}");
        assert!(
            page.contains("panels/change_failure_rate.svg?project_id=a%26b%3D%221%22%3E%3Cscript%3E&#38;limits=true"),
            "{page}"
        );
    }
}
