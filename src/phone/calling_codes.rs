//! The country calling codes that are assigned: those in libphonenumber's metadata.
//!
//! A test holds this list equal to the set that the phonenumber crate knows. Calling codes are prefix-free (ITU-T E.164
//! §6.2.1): no code begins with another, so the first that fits is the only one.

/// The calling code that `digits` begin with, and how many digits it has.
pub(crate) fn find(digits: &[u8]) -> Option<(u16, usize)> {
    // No calling code begins with 0, and 01 is not 1.
    if digits.first() == Some(&b'0') {
        return None;
    }
    let mut code = 0;
    for (index, digit) in digits.iter().take(LONGEST).enumerate() {
        code = code * 10 + u16::from(digit - b'0');
        if is_assigned(code) {
            return Some((code, index + 1));
        }
    }
    None
}

/// Every assigned code, by zone.
#[cfg(all(test, feature = "phonenumber"))]
pub(super) fn all() -> &'static [u16] {
    CODES
}

fn is_assigned(code: u16) -> bool {
    ASSIGNED[usize::from(code) / 64] >> (code % 64) & 1 == 1
}

/// Calling codes have one to three digits.
const LONGEST: usize = 3;

/// One bit a code, since a number is checked on every request and a bit is found without a search.
const ASSIGNED: [u64; 16] = {
    let mut bits = [0; 16];
    let mut index = 0;
    while index < CODES.len() {
        bits[CODES[index] as usize / 64] |= 1 << (CODES[index] % 64);
        index += 1;
    }
    bits
};

#[rustfmt::skip] // a row a zone reads better than one code a line
const CODES: &[u16] = &[
    1,
    7,
    20, 27, 211, 212, 213, 216, 218, 220, 221, 222, 223, 224, 225, 226, 227, 228, 229, 230, 231, 232, 233, 234, 235,
    236, 237, 238, 239, 240, 241, 242, 243, 244, 245, 246, 247, 248, 249, 250, 251, 252, 253, 254, 255, 256, 257, 258,
    260, 261, 262, 263, 264, 265, 266, 267, 268, 269, 290, 291, 297, 298, 299,
    30, 31, 32, 33, 34, 36, 39, 350, 351, 352, 353, 354, 355, 356, 357, 358, 359, 370, 371, 372, 373, 374, 375, 376,
    377, 378, 380, 381, 382, 383, 385, 386, 387, 389,
    40, 41, 43, 44, 45, 46, 47, 48, 49, 420, 421, 423,
    51, 52, 53, 54, 55, 56, 57, 58, 500, 501, 502, 503, 504, 505, 506, 507, 508, 509, 590, 591, 592, 593, 594, 595,
    596, 597, 598, 599,
    60, 61, 62, 63, 64, 65, 66, 670, 672, 673, 674, 675, 676, 677, 678, 679, 680, 681, 682, 683, 685, 686, 687, 688,
    689, 690, 691, 692,
    81, 82, 84, 86, 800, 808, 850, 852, 853, 855, 856, 870, 878, 880, 881, 882, 883, 886, 888,
    90, 91, 92, 93, 94, 95, 98, 960, 961, 962, 963, 964, 965, 966, 967, 968, 970, 971, 972, 973, 974, 975, 976, 977,
    979, 992, 993, 994, 995, 996, 998,
];
