//! Deflate (RFC 1951), the packing of zip archives.
//!
//! In: packed bytes, and how many they are unpacked. Out: these. Promised: no more than that is ever made, whatever the bytes say, and
//! what is no such stream is `None`.

/// Unpacks to exactly `length` bytes.
pub fn inflate(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    out.try_reserve_exact(length).ok()?;
    let mut bits = Bits { bytes: packed, at: 0 };
    loop {
        let last = bits.take(1)?;
        match bits.take(2)? {
            0 => stored(&mut bits, &mut out, length)?,
            1 => {
                let lengths = |k: usize| match k {
                    144..256 => 9,
                    256..280 => 7,
                    _ => 8,
                };
                let codes = Codes::new(&(0..288).map(lengths).collect::<Vec<_>>())?;
                packed_block(&mut bits, &codes, &Codes::new(&[5; 30])?, &mut out, length)?;
            }
            2 => {
                let (codes, distances) = own_codes(&mut bits)?;
                packed_block(&mut bits, &codes, &distances, &mut out, length)?;
            }
            _ => return None,
        }
        if last == 1 {
            return (out.len() == length).then_some(out);
        }
    }
}

/// Bits, the lowest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<usize> {
        let byte = *self.bytes.get(self.at / 8)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Some(bit.into())
    }

    fn take(&mut self, n: u32) -> Option<usize> {
        let mut out = 0;
        for k in 0..n {
            out |= self.bit()? << k;
        }
        Some(out)
    }
}

/// Longest code.
const LONGEST: usize = 15;

/// A Huffman code: how many symbols have each length, and the symbols in the order of their codes.
struct Codes {
    counts: [usize; LONGEST + 1],
    symbols: Vec<usize>,
}

impl Codes {
    fn new(lengths: &[usize]) -> Option<Codes> {
        let mut counts = [0; LONGEST + 1];
        for n in lengths {
            counts[*n] += 1;
        }
        counts[0] = 0;
        let mut free = 1usize;
        for n in &counts[1..] {
            free = (free * 2).checked_sub(*n)?;
        }
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|s| lengths[*s] > 0).collect();
        symbols.sort_by_key(|s| lengths[*s]);
        Some(Codes { counts, symbols })
    }

    fn read(&self, bits: &mut Bits) -> Option<usize> {
        let (mut code, mut first, mut at) = (0, 0, 0);
        for n in &self.counts[1..] {
            code |= bits.bit()?;
            if code < first + n {
                return self.symbols.get(at + code - first).copied();
            }
            at += n;
            first = (first + n) * 2;
            code *= 2;
        }
        None
    }
}

fn stored(bits: &mut Bits, out: &mut Vec<u8>, most: usize) -> Option<()> {
    bits.at = bits.at.div_ceil(8) * 8;
    let (n, not) = (bits.take(16)?, bits.take(16)?);
    let at = bits.at / 8;
    let part = bits.bytes.get(at..at + n)?;
    if n ^ not != 0xffff || out.len() + n > most {
        return None;
    }
    out.extend_from_slice(part);
    bits.at += 8 * n;
    Some(())
}

/// The codes that stand before a block.
fn own_codes(bits: &mut Bits) -> Option<(Codes, Codes)> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances, count) = (bits.take(5)? + 257, bits.take(5)? + 1, bits.take(4)? + 4);
    let mut lengths = [0; 19];
    for k in &ORDER[..count] {
        lengths[*k] = bits.take(3)?;
    }
    let codes = Codes::new(&lengths)?;
    let mut all: Vec<usize> = vec![];
    while all.len() < literals + distances {
        let (what, times) = match codes.read(bits)? {
            16 => (*all.last()?, bits.take(2)? + 3),
            17 => (0, bits.take(3)? + 3),
            18 => (0, bits.take(7)? + 11),
            n => (n, 1),
        };
        all.extend(std::iter::repeat_n(what, times));
    }
    if all.len() > literals + distances {
        return None;
    }
    Some((Codes::new(&all[..literals])?, Codes::new(&all[literals..])?))
}

fn packed_block(bits: &mut Bits, codes: &Codes, distances: &Codes, out: &mut Vec<u8>, most: usize) -> Option<()> {
    loop {
        let symbol = codes.read(bits)?;
        if symbol == 256 {
            return Some(());
        }
        if symbol < 256 {
            if out.len() == most {
                return None;
            }
            out.push(symbol as u8);
            continue;
        }
        let length = match symbol - 257 {
            28 => 258,
            k if k < 8 => k + 3,
            k if k < 28 => {
                let more = (k - 4) / 4;
                ((4 + k % 4) << more) + 3 + bits.take(more as u32)?
            }
            _ => return None,
        };
        let back = match distances.read(bits)? {
            k if k < 4 => k + 1,
            k if k < 30 => {
                let more = (k - 2) / 2;
                ((2 + k % 2) << more) + 1 + bits.take(more as u32)?
            }
            _ => return None,
        };
        let from = out.len().checked_sub(back)?;
        if out.len() + length > most {
            return None;
        }
        for k in 0..length {
            out.push(out[from + k]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_and_packed_blocks_are_unpacked_and_damaged_ones_are_not() {
        let plain = [&[1, 3, 0, 0xfc, 0xff][..], b"abc"].concat();
        assert_eq!(inflate(&plain, 3).unwrap(), b"abc");
        assert_eq!(inflate(&plain, 2), None);
        assert_eq!(inflate(&plain[..6], 3), None);
        // A block with fixed codes: `a`, then it again, 258 times, by looking back one byte.
        let mut bits: Vec<u8> = vec![1, 1, 0];
        let mut code = |value: usize, n: usize| bits.extend((0..n).rev().map(|k| (value >> k & 1) as u8));
        code(0x30 + usize::from(b'a'), 8);
        code(0b11000101, 8);
        code(0, 5);
        code(0, 7);
        let packed: Vec<u8> = bits.chunks(8).map(|c| c.iter().enumerate().fold(0, |b, (k, bit)| b | bit << k)).collect();
        assert_eq!(inflate(&packed, 259).unwrap(), vec![b'a'; 259]);
        assert_eq!(inflate(&packed, 258), None);
        for at in 0..packed.len() {
            for new in 0..=255u8 {
                let mut wrong = packed.clone();
                wrong[at] = new;
                let _ = inflate(&wrong, 259);
            }
            assert_eq!(inflate(&packed[..at], 259), None);
        }
    }

    #[test]
    fn a_block_with_codes_of_its_own_is_unpacked() {
        // What zlib makes of these 600 bytes.
        let plain: Vec<u8> = (0..600usize).map(|i| ((i * i * 7 + i / 3) % 251 % 40) as u8).collect();
        #[rustfmt::skip]
        let packed = [
            0x2d, 0xcc, 0xdb, 0x92, 0x40, 0x20, 0x00, 0x00, 0xd0, 0x74, 0xa5, 0x14, 0x11, 0xd2, 0x95, 0x44, 0xff, 0xff, 0x87, 0xbb,
            0x3b, 0xb3, 0xef, 0x67, 0x0e, 0x60, 0xc1, 0xde, 0x33, 0x52, 0x2d, 0x74, 0xba, 0x3f, 0xba, 0x02, 0xcc, 0x74, 0x10, 0x38,
            0x56, 0x5b, 0xf7, 0xd1, 0xa1, 0x47, 0x24, 0x9b, 0xc7, 0x5e, 0x83, 0x6f, 0x28, 0x47, 0x1d, 0xd5, 0xc2, 0x00, 0x7d, 0x2f,
            0xb0, 0xaf, 0x51, 0x8e, 0xb6, 0x01, 0x95, 0x4b, 0x8b, 0x47, 0x12, 0x8b, 0xe7, 0xfd, 0x8a, 0x31, 0xbd, 0x9f, 0x16, 0xb6,
            0x6f, 0xb1, 0x97, 0x12, 0x1b, 0xc1, 0x33, 0x44, 0x9a, 0xbc, 0x12, 0xbd, 0xb8, 0x5e, 0xdd, 0x73, 0xe3, 0x18, 0x61, 0xcc,
            0xd4, 0x06, 0x72, 0xe6, 0xb6, 0xc5, 0x76, 0xec, 0x24, 0x5f, 0xf4, 0x70, 0xf0, 0x72, 0xff, 0x00, 0x00, 0x09, 0xa0, 0xa6,
            0x7c, 0x66, 0x72, 0x53, 0xe2, 0x9a, 0xdd, 0x67, 0xcf, 0xe6, 0x13, 0xad, 0xdd, 0x0a, 0x98, 0xe7, 0x6b, 0x72, 0xae, 0xb9,
            0xa6, 0x10, 0xb3, 0x98, 0xc7, 0x7d, 0x05, 0x4f, 0xa1, 0x08, 0x2f, 0xda, 0x54, 0x97, 0x87, 0xae, 0xd7, 0xc2, 0x64, 0xef,
            0xc5, 0x07, 0xdc, 0xb4, 0x56, 0x7f, 0x8f, 0x44, 0x1e, 0x4b, 0x00, 0xef, 0x77, 0x08, 0xd5, 0xe5, 0xaa, 0xa8, 0xbc, 0x7d,
            0x65, 0x48, 0xf9, 0xd3, 0x4b, 0x48, 0xcb, 0x99, 0x39, 0x12, 0x97, 0x7f, 0x07, 0xba, 0x5c, 0xb9, 0x6c, 0x62, 0x26, 0x2f,
            0xb6, 0x8b, 0x1f, 0xc8, 0x1c, 0x3d, 0x98, 0xa6, 0x95, 0x7d, 0xb8, 0xf8, 0x67, 0x16, 0x1b, 0xee, 0xa0, 0x77, 0x60, 0xd6,
            0x3b, 0x40, 0x3c, 0x3d, 0xd8, 0xed, 0xb7, 0xc6, 0x1a, 0x21, 0xf6, 0x38, 0xb4, 0xbb, 0x32, 0x71, 0x83, 0xc0, 0xf8, 0x56,
            0xfe, 0x7a, 0x74, 0x59, 0xb8, 0xcf, 0x75, 0x51, 0xe7, 0xc0, 0x0c, 0xa5, 0xdb, 0x07, 0x74, 0x05, 0x3d, 0x78, 0x48, 0xa8,
            0xfd, 0x7d, 0xd1, 0xfb, 0x68, 0x21, 0x7f, 0xf1, 0x40, 0xe7, 0x86, 0xfc, 0xf9, 0x59, 0xdb, 0x7c, 0xa4, 0x67, 0xec, 0xe3,
            0x43, 0xda, 0x2f, 0x40, 0x1a, 0x93, 0x8d, 0x43, 0x23, 0xc8, 0xb9, 0xa8, 0x6a, 0x16, 0x18, 0x02, 0xca, 0x37, 0x07, 0x78,
            0xc4, 0xdc, 0x28, 0x51, 0xd6, 0x88, 0x52, 0x66, 0xb5, 0xe9, 0x5e, 0xde, 0xd3, 0x8e, 0xc3, 0xcb, 0x19, 0xdb, 0xf9, 0x08,
            0x52, 0x81, 0x05, 0x6c, 0xd3, 0xf8, 0x98, 0x84, 0x21, 0x5a, 0xfb, 0x1d, 0xe4, 0x3a, 0x0f, 0xc4, 0xef, 0x06, 0x77, 0xdd,
            0x3c, 0xe9, 0xf2, 0xb4, 0x85, 0xcf, 0x6f, 0x0e, 0x82, 0xd1, 0x1c, 0x13, 0xa5, 0x83, 0x8f, 0x45, 0x31, 0x55, 0x73, 0x94,
            0x9c, 0xd7, 0xe7, 0x55, 0xd3, 0xfa, 0x75, 0x2c, 0xec, 0x49, 0x0e, 0xfd, 0x9d, 0xaf, 0xbf, 0x01, 0x32, 0x6f, 0x3e, 0x33,
            0xd9, 0xbe, 0x90, 0x9c, 0x2e, 0xc3, 0x4f, 0xcc, 0x64, 0x09, 0x75, 0x9d, 0x4e, 0xde, 0x1b, 0x56, 0x79, 0x4b, 0xd4, 0xad,
            0xef, 0xaa, 0x0e, 0x86, 0xa7, 0x0e, 0xc8, 0x94, 0xe9, 0x19, 0x8a, 0x33, 0x41, 0x2c, 0x41, 0x8a, 0x83, 0x73, 0x09, 0xf1,
            0xf0, 0x03,
        ];
        assert_eq!(inflate(&packed, 600).unwrap(), plain);
        assert_eq!(inflate(&packed[..100], 600), None);
    }
}
