//! Where a proxied redirect or link leads: back through the proxy, unless it leaves the backend. k8s: `proxy.Transport.rewriteURL`

pub(super) struct Proxied {
    /// Path of the proxy itself: `/api/v1/namespaces/a/pods/web/proxy`.
    pub prefix: String,
    /// Host and port that the backend was asked by.
    pub backend: String,
    /// Host by which the client reached this server.
    pub own: String,
}

impl Proxied {
    pub(super) fn location(&self, location: &str) -> String {
        let (host, path) = match location.split_once("://") {
            Some((_, rest)) => match rest.find('/') {
                Some(at) => (&rest[..at], &rest[at..]),
                None => (rest, "/"),
            },
            None => match location.strip_prefix("//") {
                Some(rest) => rest.find('/').map_or((rest, "/"), |at| (&rest[..at], &rest[at..])),
                None => ("", location),
            },
        };
        let elsewhere = !host.is_empty() && host != self.backend && host != self.own;
        if elsewhere || !path.starts_with('/') {
            return location.to_owned();
        }
        if path.starts_with(&self.prefix) {
            return path.to_owned();
        }
        format!("{}{path}", self.prefix.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_within_the_proxy_or_leave_as_they_are() {
        let proxied = Proxied {
            prefix: "/api/v1/pods/p/proxy".to_owned(),
            backend: "10.1.2.3:80".to_owned(),
            own: "api:6443".to_owned(),
        };
        for (sent, seen) in [
            ("/login?next=1", "/api/v1/pods/p/proxy/login?next=1"),
            ("http://10.1.2.3:80/a/", "/api/v1/pods/p/proxy/a/"),
            ("https://api:6443/api/v1/pods/p/proxy/a", "/api/v1/pods/p/proxy/a"),
            ("//10.1.2.3:80", "/api/v1/pods/p/proxy/"),
            ("https://example.com/a", "https://example.com/a"),
            ("next", "next"),
        ] {
            assert_eq!(proxied.location(sent), seen, "{sent}");
        }
    }
}
