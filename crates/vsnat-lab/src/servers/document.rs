//! The document every web server of a lab serves.

/// As long as the document of the original experiment.
pub const DOCUMENT_BYTES: usize = 4100;

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><title>Real server</title></head><body>\n\
    <h1>It works</h1>\n<p>This page is 4,100 bytes long. A real server behind the director sent it; \
    its name is in the header X-Real-Server.</p>\n<pre>\n";
const TAIL: &str = "\n</pre></body></html>\n";
const FILL: &str = "virtual server via NAT / ";

/// Exactly [`DOCUMENT_BYTES`] bytes of HTML.
pub fn document() -> Vec<u8> {
    let room = DOCUMENT_BYTES - HEAD.len() - TAIL.len();
    let fill = FILL.bytes().cycle().take(room);
    HEAD.bytes().chain(fill).chain(TAIL.bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_its_length() {
        let text = String::from_utf8(document()).unwrap();
        assert_eq!(text.len(), DOCUMENT_BYTES);
        assert!(text.ends_with("</html>\n"));
    }
}
