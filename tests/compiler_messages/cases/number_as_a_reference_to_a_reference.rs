use contiguity::NewOtp;

fn main() {
    for number in &["+14155552671", "+442079460958"] {
        let _ = NewOtp::to(number);
    }
}
