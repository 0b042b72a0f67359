//! Redis' protocol, version 2: commands out, replies in. Own code because the crates for it read replies of any length.
//!
//! A reply is read within a number of bytes and a depth, whatever lengths it claims; memory is taken for bytes that came.

use super::RedisError;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};
use zeroize::Zeroizing;

/// Bytes of all replies of one round trip.
pub const ANSWER: usize = 1 << 20;
/// Lists in lists; none of ours has more than three.
const DEPTH: usize = 8;

#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    Text(String),
    Number(i64),
    Error(String),
    Nil,
    List(Vec<Reply>),
}

/// Why there is no reply.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    #[error("{0}")]
    Io(String),
    #[error("the server sent more than {ANSWER} bytes in one answer; the rest was not read")]
    TooMuch,
    #[error("what answers does not speak Redis' protocol: {0}")]
    Protocol(&'static str),
}

impl From<std::io::Error> for Bad {
    fn from(error: std::io::Error) -> Self {
        Bad::Io(error.to_string())
    }
}

impl Reply {
    /// An error of the server's as ours.
    pub fn fine(self) -> Result<Self, RedisError> {
        match self {
            Reply::Error(words) => Err(RedisError::of(&words)),
            reply => Ok(reply),
        }
    }

    pub fn text(self) -> Option<String> {
        if let Reply::Text(text) = self { Some(text) } else { None }
    }

    /// The texts of a list; of one text, that.
    pub fn words(self) -> Vec<String> {
        match self {
            Reply::List(list) => list.into_iter().filter_map(Reply::text).collect(),
            reply => reply.text().into_iter().collect(),
        }
    }
}

/// One of the words may be a password: wiped from memory when dropped, with no copy left behind by growing.
pub fn encode(commands: &[&[&[u8]]]) -> Zeroizing<Vec<u8>> {
    let room = commands.iter().map(|c| 24 + c.iter().map(|w| w.len() + 24).sum::<usize>()).sum();
    let mut out = Zeroizing::new(Vec::with_capacity(room));
    for command in commands {
        out.extend_from_slice(format!("*{}\r\n", command.len()).as_bytes());
        for word in *command {
            out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            out.extend_from_slice(word);
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

/// The next reply; what it took is taken off `room`.
pub async fn read<R: AsyncBufRead + Unpin>(from: &mut R, room: &mut usize) -> Result<Reply, Bad> {
    // Lists that are not full yet, each with how many are still to come.
    let mut open: Vec<(usize, Vec<Reply>)> = Vec::new();
    'replies: loop {
        let line = line(from, room).await?;
        let (kind, rest) = line.split_first().ok_or(Bad::Protocol("an empty line"))?;
        let rest = String::from_utf8_lossy(rest).into_owned();
        let mut reply = match kind {
            b'+' => Reply::Text(rest),
            b'-' => Reply::Error(rest),
            b':' => Reply::Number(rest.parse().map_err(|_| Bad::Protocol("a number that is none"))?),
            b'$' => match length(&rest)? {
                None => Reply::Nil,
                Some(length) => bulk(from, room, length).await?,
            },
            b'*' => match length(&rest)? {
                None => Reply::Nil,
                Some(0) => Reply::List(Vec::new()),
                Some(_) if open.len() == DEPTH => return Err(Bad::Protocol("too many lists in lists")),
                Some(length) => {
                    open.push((length, Vec::new()));
                    continue 'replies;
                }
            },
            _ => return Err(Bad::Protocol("a reply of no kind")),
        };
        while let Some((missing, mut list)) = open.pop() {
            list.push(reply);
            if missing > 1 {
                open.push((missing - 1, list));
                continue 'replies;
            }
            reply = Reply::List(list);
        }
        return Ok(reply);
    }
}

/// Without its end.
async fn line<R: AsyncBufRead + Unpin>(from: &mut R, room: &mut usize) -> Result<Vec<u8>, Bad> {
    let mut line = Vec::new();
    *room -= from.take(*room as u64).read_until(b'\n', &mut line).await?;
    match line.strip_suffix(b"\r\n") {
        Some(line) => Ok(line.to_vec()),
        None if *room == 0 => Err(Bad::TooMuch),
        None if line.ends_with(b"\n") => Err(Bad::Protocol("a line without its end")),
        None => Err(Bad::Io("connection closed".to_owned())),
    }
}

async fn bulk<R: AsyncBufRead + Unpin>(from: &mut R, room: &mut usize, length: usize) -> Result<Reply, Bad> {
    let whole = length.checked_add(2).filter(|whole| whole <= room).ok_or(Bad::TooMuch)?;
    let mut raw = Vec::new();
    *room -= from.take(whole as u64).read_to_end(&mut raw).await?;
    if raw.len() < whole {
        return Err(Bad::Io("connection closed".to_owned()));
    }
    let text = raw.strip_suffix(b"\r\n").ok_or(Bad::Protocol("a text longer than it says"))?;
    Ok(Reply::Text(String::from_utf8_lossy(text).into_owned()))
}

/// `None`: nothing, as `-1` says it.
fn length(text: &str) -> Result<Option<usize>, Bad> {
    match text {
        "-1" => Ok(None),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().map(Some).map_err(|_| Bad::Protocol("a length that is none"))
        }
        _ => Err(Bad::Protocol("a length that is none")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(raw: &[u8]) -> Result<Reply, Bad> {
        let mut room = ANSWER;
        read(&mut tokio::io::BufReader::with_capacity(7, raw), &mut room).await
    }

    fn text(text: &str) -> Reply {
        Reply::Text(text.to_owned())
    }

    #[tokio::test]
    async fn replies_are_read() {
        for (raw, want) in [
            ("+OK\r\n", text("OK")),
            ("-ERR no\r\n", Reply::Error("ERR no".to_owned())),
            (":-7\r\n", Reply::Number(-7)),
            ("$-1\r\n", Reply::Nil),
            ("*-1\r\n", Reply::Nil),
            ("*0\r\n", Reply::List(vec![])),
            ("$0\r\n\r\n", text("")),
            ("$4\r\na\r\nb\r\n", text("a\r\nb")),
            (
                "*3\r\n*2\r\n:1\r\n*1\r\n+a\r\n$1\r\nb\r\n*0\r\n",
                Reply::List(vec![
                    Reply::List(vec![Reply::Number(1), Reply::List(vec![text("a")])]),
                    text("b"),
                    Reply::List(vec![]),
                ]),
            ),
        ] {
            assert_eq!(of(raw.as_bytes()).await.unwrap(), want, "{raw:?}");
        }
        assert_eq!(of(b"$2\r\n\xff\xfe\r\n").await.unwrap(), text("\u{fffd}\u{fffd}"));
    }

    #[tokio::test]
    async fn hostile_replies_are_refused() {
        let closed = Bad::Io("connection closed".to_owned());
        for (raw, want) in [
            ("", closed),
            ("+OK", Bad::Io("connection closed".to_owned())),
            ("$5\r\nab", Bad::Io("connection closed".to_owned())),
            ("*2\r\n:1\r\n", Bad::Io("connection closed".to_owned())),
            ("$9223372036854775807\r\n", Bad::TooMuch),
            ("$18446744073709551615\r\n", Bad::TooMuch),
            ("$1048577\r\n", Bad::TooMuch),
            ("$99999999999999999999\r\n", Bad::Protocol("a length that is none")),
            ("$-2\r\n", Bad::Protocol("a length that is none")),
            ("$+1\r\na\r\n", Bad::Protocol("a length that is none")),
            ("*\r\n", Bad::Protocol("a length that is none")),
            ("$1\r\nabc\r\n", Bad::Protocol("a text longer than it says")),
            (":one\r\n", Bad::Protocol("a number that is none")),
            ("\r\n", Bad::Protocol("an empty line")),
            ("+OK\n", Bad::Protocol("a line without its end")),
            ("HTTP/1.1 400 Bad Request\r\n", Bad::Protocol("a reply of no kind")),
            ("%1\r\n+a\r\n+b\r\n", Bad::Protocol("a reply of no kind")),
        ] {
            assert_eq!(of(raw.as_bytes()).await.unwrap_err(), want, "{raw:?}");
        }
        let nested = "*1\r\n".repeat(9);
        assert_eq!(of(nested.as_bytes()).await.unwrap_err(), Bad::Protocol("too many lists in lists"));
        assert_eq!(of(&[b'+'; 2 << 20]).await.unwrap_err(), Bad::TooMuch);
        // A list of as many as one likes takes no more than what came.
        let endless = format!("*9223372036854775807\r\n{}", ":1\r\n".repeat(1 << 19));
        assert_eq!(of(endless.as_bytes()).await.unwrap_err(), Bad::TooMuch);
    }

    #[test]
    fn commands_are_written_without_growing() {
        let raw = encode(&[&[b"AUTH", b"a b", b"\r\n"], &[b"PING"]]);
        assert_eq!(&raw[..], b"*3\r\n$4\r\nAUTH\r\n$3\r\na b\r\n$2\r\n\r\n\r\n*1\r\n$4\r\nPING\r\n");
        assert!(raw.capacity() >= raw.len());
    }
}
