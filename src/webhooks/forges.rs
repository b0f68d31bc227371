//! Where a commit is, told by those who only have it: the address of a repository, as pushes name it.

use super::body::id;
use crate::domain::Name;

/// `github:acme/shop`, out of `https://github.com/acme/shop`, `git@github.com:acme/shop.git` and their like. `None` for
/// hosts whose name does not say what runs there.
pub fn repository(address: &str) -> Option<Name> {
    let (_, rest) = address.trim().split_once("://").unwrap_or(("", address.trim()));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let (host, path) = rest.split_once(['/', ':'])?;
    // behind a host with a port
    let path = path.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix('/').unwrap_or(path);
    // a page of it
    let pages = ["/-/", "/commit/", "/commits/", "/tree/"];
    let end = pages.iter().filter_map(|page| path.find(page)).min().unwrap_or(path.len());
    let path = path.get(..end)?.trim_end_matches('/').trim_end_matches(".git");
    let depth = path.split('/').filter(|part| !part.is_empty()).count();
    let host = host.to_ascii_lowercase();
    let vendor = match () {
        () if host.split('.').any(|part| part == "github") && depth == 2 => "github",
        () if host.split('.').any(|part| part == "gitlab") && depth >= 2 => "gitlab",
        // a Data Center's addresses do not spell its projects as its webhooks do
        () if host == "bitbucket.org" && depth == 2 => "bitbucket",
        () => return None,
    };
    id(vendor, &[path])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_the_repository_that_pushes_name() {
        for (address, name) in [
            ("https://github.com/acme/shop", Some("github:acme/shop")),
            ("https://github.com/acme/shop.git", Some("github:acme/shop")),
            ("git@github.com:acme/shop.git", Some("github:acme/shop")),
            ("ssh://git@github.acme.example:2222/acme/shop.git", Some("github:acme/shop")),
            ("https://user:secret@gitlab.com/acme/web/shop/", Some("gitlab:acme/web/shop")),
            ("https://gitlab.com/acme/shop/-/commit/2f8c6b1", Some("gitlab:acme/shop")),
            ("https://github.com/acme/shop/commit/2f8c6b1", Some("github:acme/shop")),
            ("https://bitbucket.org/acme/shop/commits/2f8c6b1", Some("bitbucket:acme/shop")),
            ("https://bitbucket.acme.example/scm/acme/shop.git", None),
            ("https://git.acme.example/acme/shop", None),
            ("https://github.com/acme", None),
            ("https://github.com", None),
            ("", None),
            ("://@:/", None),
        ] {
            assert_eq!(repository(address).as_ref().map(Name::as_str), name, "{address}");
        }
    }
}
