import { provideHttpClient } from '@angular/common/http';
import { provideBrowserGlobalErrorListeners } from '@angular/core';
import { bootstrapApplication } from '@angular/platform-browser';
import { Page } from './app/page';

bootstrapApplication(Page, { providers: [provideBrowserGlobalErrorListeners(), provideHttpClient()] });
