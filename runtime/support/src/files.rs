//! What the files of data sets need: archives by the `tar` crate and sums by `md-5`.

use std::collections::HashMap;
use std::io::{self, Read};

use md5::{Digest, Md5};
use tar::Archive;

pub(crate) fn unpack(archive: &mut dyn Read, names: &[&str]) -> io::Result<HashMap<String, Vec<u8>>> {
    let mut files = HashMap::new();
    for entry in Archive::new(archive).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.file_name().map(|name| name.to_string_lossy().into_owned());
        if let Some(name) = name.filter(|name| names.contains(&name.as_str())) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            files.insert(name, bytes);
        }
    }
    Ok(files)
}

pub(crate) fn md5(data: &mut dyn Read, poll: &dyn Fn()) -> io::Result<String> {
    let mut sum = Md5::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        poll();
        match data.read(&mut buffer)? {
            0 => return Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            count => sum.update(&buffer[..count]),
        }
    }
}
