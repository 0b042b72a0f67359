//! Log frames to lines. One per stream, because frames of stdout and stderr interleave; a line
//! longer than [`MAX_LINE`] is cut, so that a program that never ends its line costs no memory.

/// Bytes kept of one line.
const MAX_LINE: usize = 64 * 1024;

/// Collects bytes until a line is whole.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// The lines that this piece completes.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<String> {
        let mut done = Vec::new();
        for part in piece.split_inclusive(|b| *b == b'\n') {
            let room = MAX_LINE.saturating_sub(self.rest.len());
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            self.rest.extend_from_slice(&text[..text.len().min(room)]);
            if part.ends_with(b"\n") {
                done.push(take(&mut self.rest));
            }
        }
        done
    }

    /// What is left without a line end.
    pub(super) fn finish(&mut self) -> Option<String> {
        (!self.rest.is_empty()).then(|| take(&mut self.rest))
    }
}

fn take(rest: &mut Vec<u8>) -> String {
    let bytes = std::mem::take(rest);
    String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(&bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_whatever_the_pieces() {
        let mut l = Lines::default();
        assert_eq!(l.push(b"a"), Vec::<String>::new());
        assert_eq!(l.push(b"b\r\n\nc\nd"), ["ab", "", "c"]);
        assert_eq!(l.finish().as_deref(), Some("d"));
        assert_eq!(l.finish(), None);
    }

    #[test]
    fn an_endless_line_is_cut() {
        let mut l = Lines::default();
        for _ in 0..40 {
            l.push(&[b'x'; 4096]);
        }
        assert_eq!(l.push(b"\nnext\n").iter().map(String::len).collect::<Vec<_>>(), [MAX_LINE, 4]);
    }
}
