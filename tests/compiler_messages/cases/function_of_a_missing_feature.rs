use contiguity::guard::Redis;

fn main() {
    let _ = Redis::connect("redis://127.0.0.1:6379", "a secret of 16 bytes");
}
