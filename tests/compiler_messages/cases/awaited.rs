use contiguity::{Client, Error, NewOtp, SentOtp};

async fn send(client: &Client) -> Result<SentOtp, Error> {
    NewOtp::to("+14155552671").language("en").name("MyApp").send(client).await
}

fn main() {}
