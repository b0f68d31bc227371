//! A disk of a test's own, small enough to be filled.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

pub struct Disk {
    folder: TempDir,
}

impl Disk {
    /// This needs root and `mount`: a disk that was not full proves nothing, so it fails without them.
    pub fn new(size: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("em-metrics-disk").tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("mode=777,size={size}"), "em-metrics"])
            .arg(folder.path())
            .output();
        let mounted = mounted.unwrap_or_else(|error| panic!("mount: {error}; full disks need root and util-linux"));
        let words = String::from_utf8_lossy(&mounted.stderr);
        assert!(
            mounted.status.success(),
            "{}; full disks need the right to mount them: run this as root",
            words.trim()
        );
        Self { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut filling = File::options().create(true).append(true).open(self.filling()).unwrap();
        loop {
            match filling.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// From now on it can be read, and nothing else.
    pub fn close(&self) {
        let closed = Command::new("mount").args(["-o", "remount,ro"]).arg(self.folder.path()).status();
        assert!(closed.unwrap().success());
    }

    pub fn make_space(&self) {
        std::fs::remove_file(self.filling()).unwrap();
    }

    fn filling(&self) -> std::path::PathBuf {
        self.folder.path().join("filling")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // whoever still has something open there keeps it until then
        let gone = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
        if !gone.is_ok_and(|status| status.success()) {
            println!("{} is still mounted", self.folder.path().display());
        }
    }
}
