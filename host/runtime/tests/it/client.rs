//! An HTTP client that shows what is on the wire: which frames, and whether an answer ended or was cut.

use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// One connection.
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// The head of an answer.
#[derive(Clone, Debug)]
pub struct Head {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub head: Head,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.head.status
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The connection ended where the answer did not.
#[derive(Debug, PartialEq, Eq)]
pub struct Cut;

impl Client {
    pub async fn connect(addr: SocketAddr) -> Client {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream: BufReader::new(stream) }
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a request without a body.
    pub async fn request(&mut self, method: &str, target: &str) {
        self.send(format!("{method} {target} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
    }

    /// Sends the head of a request whose body comes in chunks.
    pub async fn begin(&mut self, method: &str, target: &str) {
        self.send(format!("{method} {target} HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n"))
            .await;
    }

    /// Sends a chunk of a request's body; an empty one ends it.
    pub async fn chunk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.send([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()).await;
    }

    /// The head of the next answer; cut if the connection ends before it.
    pub async fn head(&mut self) -> Result<Head, Cut> {
        let first = self.line().await?;
        let status =
            first.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("{first:?}"));
        Ok(Head { status, headers: self.fields().await? })
    }

    /// Header fields up to the empty line: of a head, or of trailers.
    pub async fn fields(&mut self) -> Result<Vec<(String, String)>, Cut> {
        let mut fields = Vec::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { return Ok(fields) };
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The next chunk of a chunked answer; none at its end, where its trailers are still to be read.
    pub async fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, Cut> {
        let line = self.line().await?;
        let length = usize::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("{line:?}"));
        if length == 0 {
            return Ok(None);
        }
        let bytes = self.exactly(length).await?;
        self.line().await?;
        Ok(Some(bytes))
    }

    /// The chunks of an answer as text, and whether it ended.
    pub async fn chunks(&mut self) -> (Vec<String>, Result<(), Cut>) {
        let mut chunks = Vec::new();
        loop {
            match self.next_chunk().await {
                Ok(Some(chunk)) => chunks.push(String::from_utf8_lossy(&chunk).into_owned()),
                Ok(None) => return (chunks, self.fields().await.map(|_| ())),
                Err(cut) => return (chunks, Err(cut)),
            }
        }
    }

    /// The body that belongs to a head.
    pub async fn body(&mut self, head: &Head) -> Result<Vec<u8>, Cut> {
        if let Some(length) = head.header("content-length") {
            return self.exactly(length.parse().unwrap()).await;
        }
        if head.header("transfer-encoding").is_some() {
            let mut body = Vec::new();
            while let Some(chunk) = self.next_chunk().await? {
                body.extend(chunk);
            }
            self.fields().await?;
            return Ok(body);
        }
        Ok(Vec::new())
    }

    /// A whole answer.
    pub async fn answer(&mut self) -> Result<Answer, Cut> {
        let head = self.head().await?;
        let body = self.body(&head).await?;
        Ok(Answer { head, body })
    }

    /// Everything until the other side ends the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = self.stream.read_to_end(&mut rest).await;
        rest
    }

    async fn line(&mut self) -> Result<String, Cut> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await {
            Ok(_) if line.ends_with('\n') => Ok(line.trim_end().to_owned()),
            _ => Err(Cut),
        }
    }

    /// So many bytes as they are.
    pub async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Cut> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).await.map_err(|_| Cut)?;
        Ok(bytes)
    }
}

/// One request without a body on a connection of its own.
pub async fn get(addr: SocketAddr, target: &str) -> Answer {
    let mut client = Client::connect(addr).await;
    client.request("GET", target).await;
    client.answer().await.unwrap()
}

/// One request with a body on a connection of its own.
pub async fn post(addr: SocketAddr, target: &str, body: impl AsRef<[u8]>) -> Answer {
    let (mut client, body) = (Client::connect(addr).await, body.as_ref());
    client
        .send(format!("POST {target} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n", body.len()))
        .await;
    client.send(body).await;
    client.answer().await.unwrap()
}
