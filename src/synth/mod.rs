//! Pseudo anomalies: confetti noise, CutPaste and their mix (method.md section 6). Pure, on u8 images.
