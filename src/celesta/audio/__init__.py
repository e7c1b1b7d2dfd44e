"""Audio files in and out: every sample finite, every length exact, flat memory."""

from celesta.audio._headers import AudioWarning
from celesta.audio.io import AUDIO_SUFFIXES, Audio, AudioInfo, find_audio, probe, read, stream, write
from celesta.audio.resample import Resampler, resample, resampled_length
from celesta.audio.writer import Writer

__all__ = [
    "AUDIO_SUFFIXES",
    "Audio",
    "AudioInfo",
    "AudioWarning",
    "Resampler",
    "Writer",
    "find_audio",
    "probe",
    "read",
    "resample",
    "resampled_length",
    "stream",
    "write",
]
