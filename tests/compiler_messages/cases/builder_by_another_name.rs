use contiguity::{CancelReverseOtp, InitiateReverseOtp, NewOtp, ResendOtp, VerifyOtp};

fn main() {
    let _ = NewOtp::new("+14155552671");
    let _ = InitiateReverseOtp::to("+14155552671");
    let _ = VerifyOtp::id("otp_1234567890");
    let _ = ResendOtp::new("otp_1234567890");
    let _ = CancelReverseOtp::new("r_otp_123456");
}
