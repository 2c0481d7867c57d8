import { Component, computed, input } from '@angular/core';
import { Binding } from '../contract';
import { Icon } from '../shared/icon';
import { audience } from './answer';

/** The bindings of an IAM policy; members that stand for everybody are flagged. */
@Component({
  selector: 'lab-policy',
  imports: [Icon],
  template: `
    @for (binding of read(); track $index) {
      <section class="binding">
        <h3>
          <code>{{ binding.role }}</code>
        </h3>
        <ul>
          @for (member of binding.members; track $index) {
            <li [class.open]="member.open">
              @if (member.open) {
                <lab-icon name="globe" /><strong>{{ member.name }}</strong
                ><span>{{ member.open }}</span>
              } @else {
                <span>{{ member.name }}</span><span class="faint">{{ member.kind }}</span>
              }
            </li>
          } @empty {
            <li class="faint">Nobody</li>
          }
        </ul>
      </section>
    } @empty {
      <p class="faint">The policy of the table itself gives no role to anyone. Roles of the dataset and the project still count.</p>
    }
  `,
})
export class Policy {
  readonly bindings = input.required<Binding[]>();
  protected readonly read = computed(() => this.bindings().map(({ role, members }) => ({ role, members: members.map(audience) })));
}
