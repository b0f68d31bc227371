//! What the numbers were measured on: without it they say nothing.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

/// Lines of markdown.
pub fn describe(folder: &Path) -> anyhow::Result<String> {
    let cores = std::thread::available_parallelism()?;
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = field(&cpuinfo, "model name").unwrap_or_else(|| "of unknown make".into());
    let memory: u64 = field(&fs::read_to_string("/proc/meminfo")?, "MemTotal")
        .and_then(|kibibytes| kibibytes.trim_end_matches("kB").trim().parse().ok())
        .unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let kind = file_system(folder);
    let mut lines = vec![
        format!(
            "* {cores} cores ({model}), {} GB of memory, Linux {}; client and server share the cores",
            memory * 1024 / 1_000_000_000,
            kernel.trim(),
        ),
        format!("* load average at the start: {}", load.split(' ').next().unwrap_or("?")),
        format!("* {kind}; 4 KiB written and synced in {:.0} us (median)", sync_micros(folder)?),
    ];
    if kind == "tmpfs" {
        lines.push("* **a file system in memory: nothing here is durable; give --folder one on a disk**".into());
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// The type of the file system that holds the folder.
pub fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let fields = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let holding = fields.filter(|(place, _)| folder.starts_with(place));
    // of two at the same place the later one covers the earlier
    holding.max_by_key(|(place, _)| place.len()).map_or_else(|| "?".to_owned(), |(_, kind)| kind.to_owned())
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// What a commit costs the disk at the least.
fn sync_micros(folder: &Path) -> anyhow::Result<f64> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut times = Vec::new();
    for _ in 0..101 {
        let began = Instant::now();
        file.write_all(&[0x55; 4096])?;
        file.sync_data()?;
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
