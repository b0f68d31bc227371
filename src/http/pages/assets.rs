//! Styles and scripts, in the binary. Their addresses change with their content, so browsers keep them for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::http::error::Problem;

pub const ROUTE: &str = "/assets/{name}";

/// The addresses, as pages write them: relative, like all their links.
#[derive(Debug)]
pub struct Assets {
    pub page_css: Asset,
    pub page_js: Asset,
    pub uplot_css: Asset,
    pub uplot_js: Asset,
    pub icon: Asset,
}

#[derive(Debug)]
pub struct Asset {
    name: String,
    content_type: &'static str,
    bytes: &'static [u8],
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

static ALL: LazyLock<Assets> = LazyLock::new(|| Assets {
    page_css: Asset::new("page", "css", CSS, include_bytes!("assets/page.css")),
    page_js: Asset::new("page", "js", JS, include_bytes!("assets/page.js")),
    uplot_css: Asset::new("uplot", "css", CSS, include_bytes!("assets/uplot.css")),
    uplot_js: Asset::new("uplot", "js", JS, include_bytes!("assets/uplot.js")),
    icon: Asset::new("icon", "svg", "image/svg+xml", include_bytes!("assets/icon.svg")),
});

impl Assets {
    pub fn all() -> &'static Self {
        &ALL
    }

    fn named(&self, name: &str) -> Option<&Asset> {
        let Self { page_css, page_js, uplot_css, uplot_js, icon } = self;
        [page_css, page_js, uplot_css, uplot_js, icon].into_iter().find(|asset| asset.name == name)
    }
}

impl Asset {
    fn new(stem: &str, extension: &str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(bytes)[..9]);
        Self { name: format!("{stem}.{hash}.{extension}"), content_type, bytes }
    }
}

impl std::fmt::Display for Asset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "assets/{}", self.name)
    }
}

/// Open: they say nothing about anybody's facts.
pub async fn get_asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let asset = ALL.named(&name).ok_or_else(|| Problem::of_status(StatusCode::NOT_FOUND))?;
    let headers =
        [(header::CONTENT_TYPE, asset.content_type), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((headers, asset.bytes).into_response())
}
