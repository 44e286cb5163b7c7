use contiguity::NewOtp;

fn main() {
    let sent = NewOtp::to("+14155552671").language("en").name("MyApp");
    println!("{}", sent.otp_id);
}
