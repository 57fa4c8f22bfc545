//! Encodings of content, as streams.

use std::io::{self, Write};

use tombolo_model::assets::Encoding;

/// Level of gzip, of 0 to 9: the last before time grows faster than size shrinks.
const GZIP_LEVEL: u32 = 5;
/// Quality of Brotli, of 0 to 11: from 5 on it looks for what repeats in a way that costs several times as much.
const BROTLI_QUALITY: u32 = 4;
/// How far back what repeats is looked for, as a power of two: an encoder has about four times as much memory, and few
/// answers are longer.
const WINDOW_BITS: u32 = 18;
/// Level of Zstandard, of 1 to 22: its own usual one.
const ZSTD_LEVEL: i32 = 3;
/// Bytes that Brotli hands out at once.
const BROTLI_BUFFER: usize = 16 << 10;

/// Something that is being encoded.
pub(super) enum Encoder {
    Gzip(Box<flate2::write::GzEncoder<Vec<u8>>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

impl Encoder {
    /// Takes its memory, about 1 MiB.
    pub(super) fn new(encoding: Encoding) -> io::Result<Self> {
        Ok(match encoding {
            Encoding::Gzip => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                Self::Gzip(Box::new(flate2::write::GzEncoder::new(Vec::new(), level)))
            }
            Encoding::Brotli => {
                let (buffer, quality) = (BROTLI_BUFFER, BROTLI_QUALITY);
                let encoder = brotli::CompressorWriter::new(Vec::new(), buffer, quality, WINDOW_BITS);
                Self::Brotli(Box::new(encoder))
            }
            Encoding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.window_log(WINDOW_BITS)?;
                Self::Zstd(Box::new(encoder))
            }
        })
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Gzip(encoder) => encoder,
            Self::Brotli(encoder) => encoder,
            Self::Zstd(encoder) => encoder,
        }
    }

    fn encoded(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        }
    }

    /// Encodes `bytes`. What comes of it may be held back until there is more.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer().write_all(bytes)
    }

    /// Holds nothing back any more: who decodes what was taken until now has all that was written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.writer().flush()
    }

    /// What was encoded since this was last asked.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.encoded())
    }

    /// Bytes that [`Encoder::take`] would give.
    pub(super) fn ready(&mut self) -> usize {
        self.encoded().len()
    }

    /// The rest, up to the end of what is encoded.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
            // It writes to memory alone, which does not fail.
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Read;

    use proptest::prelude::*;
    use tombolo_model::edge::Compression;

    use super::*;

    /// As far as `bytes` can be decoded: they may be the beginning of something.
    pub(in crate::edge) fn decoded(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
        let mut reader: Box<dyn Read> = match encoding {
            Encoding::Gzip => Box::new(flate2::read::GzDecoder::new(bytes)),
            Encoding::Brotli => Box::new(brotli::Decompressor::new(bytes, 4096)),
            Encoding::Zstd => Box::new(zstd::Decoder::new(bytes).unwrap()),
        };
        let (mut text, mut buffer) = (Vec::new(), [0; 1000]);
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            text.extend(&buffer[..length]);
        }
        text
    }

    fn is_whole(encoding: Encoding, bytes: &[u8]) -> bool {
        let read = match encoding {
            Encoding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut Vec::new()),
            Encoding::Brotli => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut Vec::new()),
            Encoding::Zstd => zstd::Decoder::new(bytes).unwrap().read_to_end(&mut Vec::new()),
        };
        read.is_ok()
    }

    #[test]
    fn what_repeats_gets_shorter() {
        let text = "the same again and again ".repeat(1000);
        for encoding in Compression::ENCODINGS {
            let mut encoder = Encoder::new(encoding).unwrap();
            encoder.write(text.as_bytes()).unwrap();
            let encoded = encoder.finish().unwrap();
            assert!(encoded.len() < text.len() / 50, "{encoding:?}: {} bytes", encoded.len());
            assert_eq!(decoded(encoding, &encoded), text.as_bytes());
            assert!(is_whole(encoding, &encoded) && !is_whole(encoding, &encoded[..encoded.len() - 1]));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Whatever the parts, all that was written before a flush can be read from what was taken after it.
        #[test]
        fn a_flush_lets_all_be_read(
            parts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..5000), any::<bool>()), 0..8),
        ) {
            for encoding in Compression::ENCODINGS {
                let mut encoder = Encoder::new(encoding).unwrap();
                let (mut written, mut taken) = (Vec::<u8>::new(), Vec::<u8>::new());
                for (part, is_flushed) in &parts {
                    encoder.write(part).unwrap();
                    written.extend(part);
                    if *is_flushed {
                        encoder.flush().unwrap();
                        taken.extend(encoder.take());
                        prop_assert_eq!(&decoded(encoding, &taken), &written, "{:?}", encoding);
                    }
                }
                taken.extend(encoder.finish().unwrap());
                prop_assert_eq!(&decoded(encoding, &taken), &written, "{:?}", encoding);
                prop_assert!(is_whole(encoding, &taken));
            }
        }
    }
}
