"""WAV files as libsndfile (python-soundfile) reads them; spectrograms, mel spectrograms and MFCC of librosa.

Run: python tests/reference/audio.py
"""

import base64
import io

import librosa
import numpy as np
import soundfile
from encode import tensor, write

RATE = 8000
generator = np.random.default_rng(11)


def wav_files():
    sound = np.clip(generator.normal(scale=0.4, size=(20, 2)), -1, 1)
    described = {}
    for encoding in ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]:
        data = io.BytesIO()
        soundfile.write(data, sound, RATE, subtype=encoding, format="WAV")
        data.seek(0)
        samples, _ = soundfile.read(data, dtype="float32", always_2d=True)
        described[encoding] = {"file": base64.b64encode(data.getvalue()).decode(), "samples": tensor(samples.T)}
    return described


time = np.arange(300) / RATE
samples = (np.sin(2 * np.pi * 440 * time) + 0.3 * np.sin(2 * np.pi * 2500 * time)).astype(np.float32)
samples += generator.normal(scale=0.02, size=time.shape).astype(np.float32)


def spectrogram(power=2.0, **options):
    return (np.abs(librosa.stft(samples.astype(np.float64), **options)) ** power).astype(np.float32)


reflect = spectrogram(n_fft=64, hop_length=32, pad_mode="reflect")
zeros = spectrogram(1.0, n_fft=64, hop_length=20, pad_mode="constant")


def filters(**options):
    return librosa.filters.mel(sr=RATE, n_fft=64, n_mels=8, **options).astype(np.float32)


def mel(**options):
    return librosa.feature.melspectrogram(y=samples.astype(np.float64), sr=RATE, n_fft=64, n_mels=8, **options).astype(np.float32)


write("audio", {
    "wav": wav_files(),
    "samples": tensor(samples),
    "spectrogram": {
        "reflect": tensor(reflect),
        "zeros": tensor(zeros),
        "window": tensor(spectrogram(n_fft=64, win_length=50, hop_length=25, center=False)),
    },
    "power_to_db": tensor(librosa.power_to_db(reflect, top_db=40)),
    "amplitude_to_db": tensor(librosa.amplitude_to_db(zeros, top_db=None)),
    "filters": {
        "htk": tensor(filters(fmin=50, fmax=3800, htk=True, norm=None)),
        "slaney": tensor(filters(fmin=50, fmax=3800)),
    },
    "mel": {
        "htk": tensor(mel(hop_length=32, htk=True, norm=None, pad_mode="reflect")),
        "slaney": tensor(mel(hop_length=20)),
    },
    "mfcc": tensor(
        librosa.feature.mfcc(y=samples.astype(np.float64), sr=RATE, n_fft=64, hop_length=20, n_mels=8, n_mfcc=5)
        .astype(np.float32)
    ),
})
