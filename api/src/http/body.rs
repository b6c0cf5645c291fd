//! Reads a body, and never more of it than is allowed, compressed or not.

use std::io::Read;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use actix_web::web::Payload;
use flate2::read::MultiGzDecoder;
use futures::StreamExt;

use super::answer::Refusal;
use crate::error::ErrorCode;

/// The body, decompressed.
pub(super) async fn read(headers: &HeaderMap, payload: Payload, limit: usize) -> Result<Vec<u8>, Refusal> {
    let is_compressed = is_gzip(headers)?;
    let body = receive(headers, payload, limit).await?;
    if is_compressed { decompress(&body, limit) } else { Ok(body) }
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Refusal> {
    let Some(encoding) = headers.get(CONTENT_ENCODING) else { return Ok(false) };
    match encoding.to_str().map(|it| it.trim().to_ascii_lowercase()).as_deref() {
        Ok("gzip" | "x-gzip") => Ok(true),
        Ok("identity" | "") => Ok(false),
        _ => Err(Refusal::new(ErrorCode::UnsupportedMediaType, "The body may be compressed by gzip only.")),
    }
}

async fn receive(headers: &HeaderMap, mut payload: Payload, limit: usize) -> Result<Vec<u8>, Refusal> {
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > limit) {
        return Err(too_large(limit));
    }
    let mut body = Vec::with_capacity(announced.unwrap_or_default());
    while let Some(chunk) = payload.next().await {
        let chunk = chunk
            .map_err(|_| Refusal::new(ErrorCode::BadRequest, "The body ended before it was complete."))?;
        if body.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// One byte over the limit is enough to know: what may follow is never decompressed.
fn decompress(body: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(body)
        .take(limit as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(|_| Refusal::new(ErrorCode::BadRequest, "The body is not what gzip makes."))?;
    if plain.len() > limit { Err(too_large(limit)) } else { Ok(plain) }
}

fn too_large(limit: usize) -> Refusal {
    let message = format!("The body is larger than the {limit} bytes that are allowed, decompressed too.");
    Refusal::new(ErrorCode::TooLarge, message).with("allowed", limit).hanging_up()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_bomb_is_given_up_at_the_limit() {
        let bomb = gzip(&vec![0; 10_000_000]);
        assert!(bomb.len() < 50_000);
        assert_eq!(decompress(&bomb, 50_000).unwrap_err().code, ErrorCode::TooLarge);
    }

    proptest! {
        #[test]
        fn what_fits_comes_out_as_it_went_in(plain in prop::collection::vec(any::<u8>(), 0..300)) {
            let read = decompress(&gzip(&plain), 200);
            if plain.len() <= 200 {
                prop_assert_eq!(read.unwrap(), plain);
            } else {
                prop_assert_eq!(read.unwrap_err().code, ErrorCode::TooLarge);
            }
        }

        #[test]
        fn rubbish_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assume!(!bytes.starts_with(&[0x1f, 0x8b]));
            prop_assert!(decompress(&bytes, 1_000).is_err());
        }
    }
}
