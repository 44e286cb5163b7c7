use contiguity::{InitiateReverseOtp, NewOtp, VerifyOtp};

fn main() {
    let _ = NewOtp::to("+14155552671").locale("en").name("MyApp");
    let _ = NewOtp::to("+14155552671").language("en").app_name("MyApp");
    let _ = VerifyOtp::otp_id("otp_1234567890").code("123456");
    let _ = InitiateReverseOtp::number("+14155552671").webhook("https://myapp.com/done");
}
