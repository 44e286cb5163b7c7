use contiguity::InitiateReverseOtp;

fn main() {
    let factor: Option<String> = None;
    let _ = InitiateReverseOtp::number("+14155552671").factor(factor).language(Some("en"));
}
