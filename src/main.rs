#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let env = std::env::vars().collect();
    em_metrics::cli::serve::run(em_metrics::config::load(None, &env)?).await
}
