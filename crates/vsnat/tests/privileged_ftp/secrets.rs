//! Control connections that nobody can read.

use std::fs;
use std::process::Command;

use vsnat_lab::{VIP, server_address};

use crate::cells::{is_same, write};
use crate::scenario::run_in;
use crate::site::{Kind, Site};

/// What docs/ftp.md tells an administrator to do.
const LINES: &str = "ssl_enable=YES\nallow_anon_ssl=YES\nforce_anon_logins_ssl=YES\n\
                     force_anon_data_ssl=YES\nrequire_ssl_reuse=NO\nssl_ciphers=HIGH\n\
                     pasv_min_port=50000\npasv_max_port=50100\npasv_addr_resolve=NO\n";

#[test]
fn encrypted_control_connections_pass_and_are_told_of_once() {
    let certificate = std::env::temp_dir().join(format!("vsnat-ftp-{}.pem", std::process::id()));
    let path = certificate.display().to_string();
    let key = certificate.with_extension("key");
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args(["-subj", "/CN=vsnat", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let lines = format!(
        "{LINES}pasv_address={VIP}\nrsa_cert_file={path}\nrsa_private_key_file={}\n",
        key.display()
    );
    let site = Site::with("ftptls", &lines);
    let service = format!("-t {VIP}:21");
    site.scene.ipvsadm(&format!("-E {service} -s rr -p 300"));
    let folder = site.client_folder();
    let (sent, fetched) = (folder.join("sent"), folder.join("fetched"));
    write(&sent, 1 << 20, "sent");
    for (how, name) in [("--disable-epsv", "pasv"), ("--epsv", "epsv")] {
        let _ = fs::remove_file(&fetched);
        for words in [
            format!("--upload-file {} ftp://{VIP}/pub/{name}", sent.display()),
            format!("--output {} ftp://{VIP}/pub/{name}", fetched.display()),
        ] {
            let how = if how == "--epsv" { "" } else { how };
            let line = format!(
                "curl --silent --show-error --insecure --ssl-reqd --max-time 30 {how} {words}"
            );
            run_in(&site.scene.cluster.client(), &line);
        }
        assert!(is_same(&sent, &fetched));
        assert!(is_same(&sent, &site.folder(Kind::Vsftpd).join(name)));
    }
    let log = site.director_log();
    assert_eq!(
        log.matches("encrypts its control connection").count(),
        1,
        "{log}"
    );
    let listing = site.scene.ipvsadm("-Lnc");
    assert!(
        listing.contains(&format!("{}:0", server_address(1))) || listing.contains("ASSURED"),
        "{listing}"
    );
    fs::remove_file(certificate).unwrap();
    fs::remove_file(key).unwrap();
}
