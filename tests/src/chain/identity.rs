//! What a pod has of its service account: the token that istiod's CA takes, and the root that it signs with (istio.md 5.6).

use super::Chain;
use super::cluster::put;
use super::process::eventually;
use crate::istio::Proxy;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

impl Chain {
    /// Makes the service account of a proxy, which has its name, and lays token and root certificate where its agent, which
    /// works in this folder, looks. Returns the root's file. Errors: what kubectl says.
    pub(super) async fn identity(&self, proxy: &Proxy, folder: &Path) -> Result<PathBuf, String> {
        let (name, namespace) = (&*proxy.name, &*proxy.namespace);
        let secrets = folder.join("var/run/secrets");
        for part in ["tokens", "istio"] {
            fs::create_dir_all(secrets.join(part)).map_err(|error| error.to_string())?;
        }
        let account =
            format!("apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}, namespace: {namespace}}}\n");
        self.apply(&account).await?;
        let token = self.kubectl(&["create", "token", name, "-n", namespace, "--audience", "istio-ca"]).await?;
        put(&secrets.join("tokens/istio-token"), token.trim())?;
        // istiod lays it into every namespace, a moment after that is made.
        let map = ["get", "configmap", "istio-ca-root-cert", "-n", namespace, "-o", "jsonpath={.data.root-cert\\.pem}"];
        let root = eventually(Duration::from_secs(30), async || self.kubectl(&map).await).await?;
        let file = secrets.join("istio/root-cert.pem");
        put(&file, &root)?;
        Ok(file)
    }
}
