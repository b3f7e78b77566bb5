//! A part of a file as the body of an answer, read as the client takes it.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::path::Path;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use axum::body::Bytes;
use axum::body::HttpBody;
use http_body::Frame;
use http_body::SizeHint;

/// Bytes read at once.
const CHUNK: u64 = 256 << 10;

pub(super) struct Part {
    file: File,
    left: u64,
}

impl Part {
    /// So many bytes of a file, from one on.
    pub(super) fn open(path: &Path, from: u64, length: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        Ok(Self { file, left: length })
    }
}

impl HttpBody for Part {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let wanted = self.left.min(CHUNK);
        let mut chunk = Vec::new();
        // A local file: reading it blocks this server's thread for a moment, and nothing else.
        let read = (&self.file).take(wanted).read_to_end(&mut chunk);
        Poll::Ready(Some(match read {
            Ok(0) => {
                self.left = 0;
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            Ok(read) => {
                self.left -= read as u64;
                Ok(Frame::data(Bytes::from(chunk)))
            }
            Err(error) => Err(error),
        }))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
